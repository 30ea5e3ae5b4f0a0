#include <fleetarium/dashboard/payload_model.hpp>

#include <bit>
#include <cmath>
#include <cstdio>

namespace fleetarium::dashboard {

namespace {

constexpr std::size_t shown_bytes = 32;

/// Reads one item of RFC 8949 after the other. Maps may have keys of any kind, as SenML's have.
class cbor_reader {
public:
    explicit cbor_reader(std::string_view bytes) : rest_(bytes) {}

    bool read_whole() { return item({}, 0) && rest_.empty(); }
    payload_tree take() { return std::move(tree_); }

private:
    struct head {
        unsigned major = 0;
        unsigned info = 0;
        std::uint64_t argument = 0;
        bool indefinite() const { return info == 31; }
    };

    bool read(head& out) {
        if (rest_.empty()) {
            return false;
        }
        const auto first = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        out.major = first >> 5;
        out.info = first & 31U;
        out.argument = out.info;
        if (out.info < 24) {
            return true;
        }
        if (out.info > 27) {
            return out.info == 31 && out.major != 0 && out.major != 1 && out.major != 6;
        }
        const std::size_t size = std::size_t{1} << (out.info - 24);
        if (rest_.size() < size) {
            return false;
        }
        out.argument = 0;
        for (std::size_t i = 0; i < size; ++i) {
            out.argument = out.argument << 8 | static_cast<unsigned char>(rest_[i]);
        }
        rest_.remove_prefix(size);
        return true;
    }

    bool at_break() {
        if (!rest_.empty() && static_cast<unsigned char>(rest_.front()) == 0xff) {
            rest_.remove_prefix(1);
            return true;
        }
        return false;
    }

    /// The content of a text or of bytes, in one piece or in several.
    bool content(const head& of, std::string& out) {
        if (!of.indefinite()) {
            if (of.argument > rest_.size()) {
                return false;
            }
            out.append(rest_.substr(0, static_cast<std::size_t>(of.argument)));
            rest_.remove_prefix(static_cast<std::size_t>(of.argument));
            return true;
        }
        while (!at_break()) {
            head piece;
            if (!read(piece) || piece.major != of.major || piece.indefinite() ||
                !content(piece, out)) {
                return false;
            }
        }
        return true;
    }

    static std::string hex(std::string_view bytes) {
        static constexpr char digits[] = "0123456789abcdef";
        std::string out;
        for (const char each : bytes.substr(0, shown_bytes)) {
            const auto byte = static_cast<unsigned char>(each);
            out += digits[byte >> 4];
            out += digits[byte & 15U];
        }
        return bytes.size() > shown_bytes ? out + "…" : out;
    }

    static double half(std::uint64_t bits) {
        const auto exponent = static_cast<int>(bits >> 10 & 31);
        const auto fraction = static_cast<double>(bits & 1023);
        double value = 0;
        if (exponent == 0) {
            value = std::ldexp(fraction, -24);
        } else if (exponent != 31) {
            value = std::ldexp(fraction + 1024, exponent - 25);
        } else {
            value = fraction == 0 ? HUGE_VAL : std::nan("");
        }
        return (bits & 0x8000) != 0 ? -value : value;
    }

    static std::string number(double value) {
        char out[40];
        std::snprintf(out, sizeof out, "%.10g", value);
        return out;
    }

    payload_node* add(const std::string& name, std::uint32_t depth, const char* kind,
                      std::string value) {
        if (tree_.nodes.size() >= payload_nodes_max) {
            tree_.cut = true;
            return nullptr;
        }
        tree_.nodes.push_back({name, std::move(value), kind, depth, 0});
        return &tree_.nodes.back();
    }

    bool simple(const head& of, const std::string& name, std::uint32_t depth) {
        switch (of.info) {
            case 20: add(name, depth, "boolean", "false"); return true;
            case 21: add(name, depth, "boolean", "true"); return true;
            case 22: add(name, depth, "null", "null"); return true;
            case 23: add(name, depth, "undefined", "undefined"); return true;
            case 25: add(name, depth, "number", number(half(of.argument))); return true;
            case 26:
                add(name, depth, "number",
                    number(static_cast<double>(
                        std::bit_cast<float>(static_cast<std::uint32_t>(of.argument)))));
                return true;
            case 27:
                add(name, depth, "number", number(std::bit_cast<double>(of.argument)));
                return true;
            case 31: return false;
            default:
                add(name, depth, "simple", "simple(" + std::to_string(of.argument) + ")");
                return true;
        }
    }

    /// The key of a map's member, as it is written in the tree.
    bool key(std::string& out) {
        head of;
        if (!read(of)) {
            return false;
        }
        switch (of.major) {
            case 0: out = std::to_string(of.argument); return true;
            case 1:
                out = of.argument + 1 == 0 ? "-18446744073709551616"
                                           : "-" + std::to_string(of.argument + 1);
                return true;
            case 2: {
                std::string bytes;
                const bool read_all = content(of, bytes);
                out = "0x" + hex(bytes);
                return read_all;
            }
            case 3: return content(of, out);
            default: return false;
        }
    }

    bool container(const head& of, const std::string& name, std::uint32_t depth) {
        const bool is_map = of.major == 5;
        const std::size_t at = tree_.nodes.size();
        const bool kept = add(name, depth, is_map ? "map" : "array", {}) != nullptr;
        std::uint64_t count = 0;
        for (; of.indefinite() ? !at_break() : count < of.argument; ++count) {
            std::string inner = "[" + std::to_string(count) + "]";
            if ((is_map && !key(inner)) || !item(inner, depth + 1)) {
                return false;
            }
        }
        if (kept) {
            tree_.nodes[at].value =
                std::to_string(count) + (is_map ? " member" : " element") + (count == 1 ? "" : "s");
            tree_.nodes[at].below = static_cast<std::uint32_t>(tree_.nodes.size() - at - 1);
        }
        return true;
    }

    bool item(const std::string& name, std::uint32_t depth) {
        head of;
        if (depth > payload_depth_max || !read(of)) {
            return false;
        }
        switch (of.major) {
            case 0: add(name, depth, "number", std::to_string(of.argument)); return true;
            case 1:
                add(name, depth, "number",
                    of.argument + 1 == 0 ? "-18446744073709551616"
                                         : "-" + std::to_string(of.argument + 1));
                return true;
            case 2: {
                std::string bytes;
                const bool read_all = content(of, bytes);
                add(name, depth, "bytes", hex(bytes));
                return read_all;
            }
            case 3: {
                std::string text;
                const bool read_all = content(of, text);
                add(name, depth, "text", "\"" + text + "\"");
                return read_all;
            }
            case 6: {  // a tag says what the item after it means
                const std::size_t at = tree_.nodes.size();
                if (!item(name, depth + 1)) {
                    return false;
                }
                for (std::size_t i = at; i < tree_.nodes.size(); ++i) {
                    --tree_.nodes[i].depth;
                }
                if (at < tree_.nodes.size()) {
                    tree_.nodes[at].kind += ", tag " + std::to_string(of.argument);
                }
                return true;
            }
            case 7: return simple(of, name, depth);
            default: return container(of, name, depth);
        }
    }

    std::string_view rest_;
    payload_tree tree_{};
};

}  // namespace

std::optional<payload_tree> cbor_tree(std::string_view bytes) {
    cbor_reader reader(bytes);
    return reader.read_whole() ? std::optional(reader.take()) : std::nullopt;
}

}  // namespace fleetarium::dashboard
