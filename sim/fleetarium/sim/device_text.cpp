#include <fleetarium/sim/device_text.hpp>

#include <algorithm>

namespace fleetarium::sim::detail {

namespace {

void replace_all(std::string& in, std::string_view what, std::string_view by) {
    for (std::size_t at = in.find(what); at != in.npos; at = in.find(what, at + by.size())) {
        in.replace(at, what.size(), by);
    }
}

char* copy(std::string_view from, char* to) {
    for (std::size_t i = 0; i < from.size(); ++i) {
        to[i] = from[i];
    }
    return to + from.size();
}

}  // namespace

device_text::device_text(const std::string& source, template_use use, const std::string& fleet,
                         const std::string& client_id, std::span<const generator_names> generators)
    : compiled_(source, use, generators) {
    needs_client_id_ = source.find("{client_id}") != source.npos;
    std::string resolved = source;
    replace_all(resolved, "{client_id}", client_id);
    replace_all(resolved, "{fleet}", fleet);
    // A fleet's name with a brace in it, or an escaped brace, is left to the template.
    const bool plain = source.find("{{") == source.npos && client_id.find("{{") == client_id.npos &&
                       fleet.find('{') == fleet.npos;
    kind_ = kind::any;
    if (compiled_.is_constant()) {
        kind_ = kind::constant;
        literals_ = {std::string()};
        compiled_.render({}, literals_.front());
    } else if (plain && read_indexed(resolved)) {
        kind_ = widths_.empty() ? kind::constant : kind::indexed;
        for (const std::string& each : literals_) {
            literals_size_ += each.size();
        }
        for (const std::uint8_t each : widths_) {
            widest_ = std::max(widest_, each);
        }
    }
}

/// Reads a text of literals, `{index}` and `{index:05}`; false if there is anything else in it.
bool device_text::read_indexed(std::string_view source) {
    literals_ = {std::string()};
    widths_.clear();
    while (!source.empty()) {
        const bool placeholder =
            source.size() > 1 && source[0] == '{' && source[1] >= 'a' && source[1] <= 'z';
        if (!placeholder) {
            literals_.back() += source[0];
            source.remove_prefix(1);
            continue;
        }
        const std::size_t end = source.find('}');
        const std::string_view inside = source.substr(1, end - 1);
        std::uint8_t width = 1;
        if (inside.size() == 8 && inside.starts_with("index:0") && inside[7] >= '1' &&
            inside[7] <= '9') {
            width = static_cast<std::uint8_t>(inside[7] - '0');
        } else if (inside != "index") {
            return false;
        }
        widths_.push_back(width);
        literals_.emplace_back();
        source.remove_prefix(end + 1);
    }
    return true;
}

void device_text::append_indexed(std::uint64_t index, std::string& out) const {
    constexpr std::size_t digits_max = 20;
    char digits[digits_max];
    char* const end = digits + digits_max;
    char* first = end;
    do {
        *--first = static_cast<char>('0' + index % 10);
        index /= 10;
    } while (index != 0);
    for (const std::size_t zeros_until = digits_max - widest_;
         static_cast<std::size_t>(first - digits) > zeros_until;) {
        *--first = '0';
    }
    const auto count = static_cast<std::size_t>(end - first);

    // One resize, then bare writes: appending piece by piece costs more than all else here.
    const std::size_t begin = out.size();
    out.resize(begin + literals_size_ + count * widths_.size());
    char* at = out.data() + begin;
    at = copy(literals_.front(), at);
    for (std::size_t i = 0; i < widths_.size(); ++i) {
        // The narrower numbers of a text leave out the zeros made for the widest.
        std::size_t skipped = 0;
        while (count - skipped > widths_[i] && first[skipped] == '0' && skipped + 1 < count) {
            ++skipped;
        }
        at = copy({first + skipped, count - skipped}, at);
        at = copy(literals_[i + 1], at);
    }
    out.resize(static_cast<std::size_t>(at - out.data()));
}

}  // namespace fleetarium::sim::detail
