#include <fleetarium/dashboard/payload_model.hpp>
#include <fleetarium/feed/payload_text.hpp>

#include <array>
#include <bit>
#include <cstdio>

namespace fleetarium::dashboard {

namespace {

/// Walks over the fields of one message of Protocol Buffers.
class field_reader {
public:
    explicit field_reader(std::string_view bytes) : rest_(bytes) {}

    bool next() {
        if (rest_.empty()) {
            return false;
        }
        std::uint64_t key = 0;
        ok_ = varint(key);
        number_ = static_cast<std::uint32_t>(key >> 3);
        type_ = static_cast<unsigned>(key & 7);
        ok_ = ok_ && number_ != 0 && key >> 3 == number_;
        if (!ok_) {
            return false;
        }
        switch (type_) {
            case 0: ok_ = varint(value_); break;
            case 1: ok_ = fixed(8); break;
            case 2: {
                std::uint64_t size = 0;
                ok_ = varint(size) && size <= rest_.size();
                if (ok_) {
                    content_ = rest_.substr(0, static_cast<std::size_t>(size));
                    rest_.remove_prefix(static_cast<std::size_t>(size));
                }
                break;
            }
            case 5: ok_ = fixed(4); break;
            default: ok_ = false;
        }
        return ok_;
    }

    bool ok() const { return ok_; }
    bool is(std::uint32_t number, unsigned type) const {
        return number_ == number && type_ == type;
    }
    std::uint64_t value() const { return value_; }
    std::string_view content() const { return content_; }

private:
    bool varint(std::uint64_t& out) {
        out = 0;
        for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            out |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80) {
                return true;
            }
        }
        return false;
    }
    bool fixed(std::size_t size) {
        if (rest_.size() < size) {
            return false;
        }
        value_ = 0;
        for (std::size_t i = size; i-- != 0;) {
            value_ = value_ << 8 | static_cast<unsigned char>(rest_[i]);
        }
        rest_.remove_prefix(size);
        return true;
    }

    std::string_view rest_;
    std::string_view content_;
    std::uint64_t value_ = 0;
    std::uint32_t number_ = 0;
    unsigned type_ = 0;
    bool ok_ = true;
};

// Codes of the specification, 3.0, chapter 6.4.16.
constexpr std::array<std::string_view, 35> type_names{"Unknown",      "Int8",
                                                      "Int16",        "Int32",
                                                      "Int64",        "UInt8",
                                                      "UInt16",       "UInt32",
                                                      "UInt64",       "Float",
                                                      "Double",       "Boolean",
                                                      "String",       "DateTime",
                                                      "Text",         "UUID",
                                                      "DataSet",      "Bytes",
                                                      "File",         "Template",
                                                      "PropertySet",  "PropertySetList",
                                                      "Int8Array",    "Int16Array",
                                                      "Int32Array",   "Int64Array",
                                                      "UInt8Array",   "UInt16Array",
                                                      "UInt32Array",  "UInt64Array",
                                                      "FloatArray",   "DoubleArray",
                                                      "BooleanArray", "StringArray",
                                                      "DateTimeArray"};

struct metric {
    std::optional<std::string> name{};
    std::optional<std::uint64_t> alias{};
    std::optional<std::uint64_t> timestamp{};
    std::uint64_t type = 0;
    std::string value = "none";
    std::string kind = "number";
};

std::string text_of(double value) {
    char out[40];
    std::snprintf(out, sizeof out, "%.10g", value);
    return out;
}

bool is_text(std::string_view bytes) {
    const bytes_view view(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return feed::make_payload_view(view, bytes.size()).encoding == "text";
}

/// Milliseconds since 1970 as a date: "2026-01-31 12:00:00.000".
std::string date_of(std::uint64_t milliseconds) {
    // Days to a date by the calendar's cycle of 400 years (Hinnant).
    if (milliseconds > 253'402'300'799'999) {
        return std::to_string(milliseconds);
    }
    const std::uint64_t day = milliseconds / 86'400'000 + 719'468;
    const std::uint64_t era = day / 146'097;
    const std::uint64_t of_era = day % 146'097;
    const std::uint64_t year = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
    const std::uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const std::uint64_t shifted = (5 * of_year + 2) / 153;
    const std::uint64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    const std::uint64_t of_month = of_year - (153 * shifted + 2) / 5 + 1;
    const std::uint64_t clock = milliseconds % 86'400'000;
    char out[64];
    std::snprintf(out, sizeof out, "%04u-%02u-%02u %02u:%02u:%02u.%03u",
                  static_cast<unsigned>(year + era * 400 + (month <= 2 ? 1 : 0)),
                  static_cast<unsigned>(month), static_cast<unsigned>(of_month),
                  static_cast<unsigned>(clock / 3'600'000),
                  static_cast<unsigned>(clock / 60'000 % 60),
                  static_cast<unsigned>(clock / 1'000 % 60), static_cast<unsigned>(clock % 1'000));
    return out;
}

bool read_metric(std::string_view bytes, metric& out) {
    field_reader fields(bytes);
    std::optional<std::uint64_t> whole32;
    std::optional<std::uint64_t> whole64;
    while (fields.next()) {
        if (fields.is(1, 2)) {
            out.name = fields.content();
            if (!is_text(*out.name)) {
                return false;
            }
        } else if (fields.is(2, 0)) {
            out.alias = fields.value();
        } else if (fields.is(3, 0)) {
            out.timestamp = fields.value();
        } else if (fields.is(4, 0)) {
            out.type = fields.value();
        } else if (fields.is(7, 0) && fields.value() != 0) {
            out.value = out.kind = "null";
        } else if (fields.is(10, 0)) {
            whole32 = fields.value() & 0xffff'ffff;
        } else if (fields.is(11, 0)) {
            whole64 = fields.value();
        } else if (fields.is(12, 5)) {
            out.value = text_of(static_cast<double>(
                std::bit_cast<float>(static_cast<std::uint32_t>(fields.value()))));
        } else if (fields.is(13, 1)) {
            out.value = text_of(std::bit_cast<double>(fields.value()));
        } else if (fields.is(14, 0)) {
            out.value = fields.value() != 0 ? "true" : "false";
            out.kind = "boolean";
        } else if (fields.is(15, 2)) {
            out.value = "\"" + std::string(fields.content()) + "\"";
            out.kind = "text";
            if (!is_text(fields.content())) {
                return false;
            }
        } else if (fields.is(16, 2)) {
            out.value = std::to_string(fields.content().size()) + " bytes";
            out.kind = "bytes";
        } else if (fields.is(17, 2) || fields.is(18, 2)) {
            out.value = fields.is(17, 2) ? "a data set" : "a template";
        }
    }
    // Negative numbers are in two's complement; which ones says the type.
    if (whole32) {
        out.value = out.type >= 1 && out.type <= 3
                        ? std::to_string(static_cast<std::int32_t>(*whole32))
                        : std::to_string(*whole32);
    } else if (whole64) {
        out.value = out.type == 4    ? std::to_string(static_cast<std::int64_t>(*whole64))
                    : out.type == 13 ? date_of(*whole64)
                                     : std::to_string(*whole64);
    }
    return fields.ok() && out.type < type_names.size() && (out.name || out.alias);
}

void add(payload_tree& to, const metric& of) {
    const std::size_t at = to.nodes.size();
    std::string name = of.name ? *of.name : "alias " + std::to_string(*of.alias);
    std::string kind = of.type == 0 ? of.kind : std::string(type_names[of.type]);
    to.nodes.push_back({std::move(name), of.value, std::move(kind), 1, 0});
    if (of.name && of.alias) {
        to.nodes.push_back({"alias", std::to_string(*of.alias), "number", 2, 0});
    }
    if (of.timestamp) {
        to.nodes.push_back({"timestamp", date_of(*of.timestamp), "time", 2, 0});
    }
    to.nodes[at].below = static_cast<std::uint32_t>(to.nodes.size() - at - 1);
}

}  // namespace

std::optional<payload_tree> sparkplug_tree(std::string_view bytes) {
    payload_tree out;
    std::uint32_t metrics = 0;
    out.nodes.push_back({"metrics", {}, "list", 0, 0});
    std::vector<payload_node> heads;
    field_reader fields(bytes);
    while (fields.next()) {
        if (heads.size() > 64) {
            return std::nullopt;
        }
        if (fields.is(1, 0)) {
            heads.push_back({"timestamp", date_of(fields.value()), "time", 0, 0});
        } else if (fields.is(3, 0)) {
            heads.push_back({"seq", std::to_string(fields.value()), "number", 0, 0});
        } else if (fields.is(4, 2)) {
            heads.push_back({"uuid", std::string(fields.content()), "text", 0, 0});
        } else if (fields.is(5, 2)) {
            heads.push_back(
                {"body", std::to_string(fields.content().size()) + " bytes", "bytes", 0, 0});
        } else if (fields.is(2, 2)) {
            metric read;
            if (!read_metric(fields.content(), read)) {
                return std::nullopt;
            }
            ++metrics;
            if (out.nodes.size() + 3 > payload_nodes_max) {
                out.cut = true;
            } else {
                add(out, read);
            }
        } else {
            return std::nullopt;
        }
    }
    if (!fields.ok() || (heads.empty() && metrics == 0)) {
        return std::nullopt;
    }
    out.nodes.front().value = std::to_string(metrics) + (metrics == 1 ? " metric" : " metrics");
    out.nodes.front().below = static_cast<std::uint32_t>(out.nodes.size() - 1);
    out.nodes.insert(out.nodes.begin(), heads.begin(), heads.end());
    return out;
}

}  // namespace fleetarium::dashboard
