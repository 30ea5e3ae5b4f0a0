#include <fleetarium/sim/text_template.hpp>

#include <fleetarium/config/problem.hpp>
#include <fleetarium/config/quantities.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <stdexcept>

namespace fleetarium::sim {

using namespace config;

namespace {

/// Numbers are held as counts of their last decimal; up to here doubles hold them too.
constexpr std::int64_t units_max = 1'000'000'000'000'000;
constexpr std::size_t decimals_max = 9;
constexpr std::uint64_t width_max = 20;
constexpr std::uint64_t hex_digits_max = 1024;
constexpr std::uint64_t filler_bytes_max = std::uint64_t{16} << 20;
constexpr std::int64_t walk_range_max = 4'294'967'294;  // a position and "not begun" in 32 bits

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_letter(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

/// A number such as -18.50: digits without the point, and how many of them stood behind it.
struct decimal_number {
    std::int64_t digits = 0;
    std::size_t decimals = 0;
};

std::optional<decimal_number> parse_decimal(std::string_view text) {
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative ? 1 : 0);
    const auto point = text.find('.');
    std::string digits(text.substr(0, point));
    decimal_number number;
    if (point != std::string_view::npos) {
        number.decimals = text.size() - point - 1;
        digits += text.substr(point + 1);
    }
    const auto magnitude = whole_number(digits);
    const bool pointless = point == 0 || point + 1 == text.size();
    if (!magnitude || pointless || digits.size() > 15 || number.decimals > decimals_max) {
        return std::nullopt;
    }
    number.digits = static_cast<std::int64_t>(*magnitude) * (negative ? -1 : 1);
    return number;
}

std::optional<std::int64_t> units_of(decimal_number number, std::size_t decimals) {
    for (std::size_t i = number.decimals; i < decimals; ++i) {
        number.digits *= 10;
        if (number.digits > units_max || number.digits < -units_max) {
            return std::nullopt;
        }
    }
    return number.digits;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

}  // namespace

/// Reads a template from left to right; the first fault ends it.
class text_template::compiler {
public:
    compiler(template_use use, std::span<const generator_names> generators)
        : use_(use), generators_(generators) {}

    static bool has_rule(std::string_view name) {
        return std::any_of(rules().begin(), rules().end(),
                           [&](const placeholder_rule& rule) { return rule.name == name; });
    }

    std::variant<text_template, template_fault> run(std::string_view text) {
        std::string literal;
        std::size_t at = 0;
        while (at < text.size()) {
            const std::string_view rest = text.substr(at);
            if (rest.starts_with("{{")) {
                literal += '{';
                at += 2;
            } else if (rest[0] == '{' && rest.size() > 1 && is_letter(rest[1])) {
                flush(literal);
                const auto end = rest.find('}');
                if (end == std::string_view::npos) {
                    return template_fault{"the placeholder " + quoted(rest) + " without its \"}\"",
                                          "\"}\", or \"{{\" for a plain \"{\"",
                                          {}};
                }
                placeholder_ = rest.substr(0, end + 1);
                if (!read_placeholder()) {
                    return std::move(fault_);
                }
                at += end + 1;
            } else {
                literal += rest[0];
                ++at;
            }
        }
        flush(literal);
        return std::move(made_);
    }

private:
    struct placeholder_rule {
        std::string_view name;
        template_use since;  ///< the first use that may have it
        bool (compiler::*read)(std::string_view arguments);
    };

    static std::span<const placeholder_rule> rules() {
        static constexpr std::array<placeholder_rule, 12> list = {{
            {"fleet", template_use::client_id, &compiler::read_fleet},
            {"index", template_use::client_id, &compiler::read_index},
            {"client_id", template_use::topic, &compiler::read_client_id},
            {"seq", template_use::payload, &compiler::read_sequence},
            {"time", template_use::payload, &compiler::read_time},
            {"random", template_use::payload, &compiler::read_random},
            {"walk", template_use::payload, &compiler::read_walk},
            {"wave", template_use::payload, &compiler::read_wave},
            {"choice", template_use::payload, &compiler::read_choice},
            {"hex", template_use::payload, &compiler::read_hex},
            {"filler", template_use::payload, &compiler::read_filler},
            {"request", template_use::reply, &compiler::read_request},
        }};
        return list;
    }

    bool read_placeholder() {
        const std::string_view inside = placeholder_.substr(1, placeholder_.size() - 2);
        std::size_t end = 0;
        while (end < inside.size() && (is_letter(inside[end]) || is_digit(inside[end]))) {
            ++end;
        }
        const std::string_view whole_name = inside.substr(0, end);
        for (std::size_t i = 0; i < generators_.size(); ++i) {
            if (generators_[i].name == whole_name && use_ >= generators_[i].since) {
                return read_generator(static_cast<std::uint32_t>(i), inside.substr(end));
            }
        }
        end = 0;
        while (end < inside.size() && is_letter(inside[end])) {
            ++end;
        }
        const std::string_view name = inside.substr(0, end);
        std::vector<std::string_view> allowed;
        std::vector<std::string> shown;
        for (const auto& rule : rules()) {
            if (rule.since <= use_) {
                if (rule.name == name) {
                    return (this->*rule.read)(inside.substr(end));
                }
                allowed.push_back(rule.name);
                shown.push_back("{" + std::string(rule.name) + "}");
            }
        }
        for (const generator_names& each : generators_) {
            if (use_ >= each.since) {
                allowed.push_back(each.name);
                shown.push_back("{" + each.name + "}");
            }
        }
        const std::vector<std::string_view> views(shown.begin(), shown.end());
        auto nearest = nearest_name(has_rule(name) ? name : whole_name, allowed);
        std::string found(placeholder_);
        // The reader of payloads puts this where a value is all that there is.
        if (found.ends_with(":json}")) {
            found.replace(found.size() - 6, 6, "}");
        }
        fault_ = {"the placeholder " + quoted(found), joined_with_or(views) + " here",
                  nearest.empty() ? nearest : "{" + nearest + "}"};
        return false;
    }

    bool fail(std::string expected) {
        fault_ = {"the placeholder " + quoted(placeholder_), std::move(expected), {}};
        return false;
    }

    piece& add(piece_kind kind) { return made_.pieces_.emplace_back(piece{.kind = kind}); }

    slice keep(std::string_view text) {
        const slice part{static_cast<std::uint32_t>(made_.text_.size()),
                         static_cast<std::uint32_t>(text.size())};
        made_.text_ += text;
        return part;
    }

    void flush(std::string& literal) {
        if (!literal.empty()) {
            const slice part = keep(literal);
            piece& made = add(piece_kind::literal);
            made.first = part.offset;
            made.size = part.size;
            literal.clear();
        }
    }

    bool fail_generator(const std::string& found, std::string expected,
                        std::string suggestion = {}) {
        fault_ = {found, std::move(expected), std::move(suggestion)};
        return false;
    }

    /// Behind the generator's name: perhaps a point and a field, then perhaps a colon and how.
    bool read_generator(std::uint32_t which, std::string_view rest) {
        const generator_names& of = generators_[which];
        const auto colon = std::min(rest.find(':'), rest.size());
        const std::string_view field = rest.substr(0, colon);
        const std::string_view how = rest.substr(colon);
        std::uint32_t place = 0;
        std::vector<std::string_view> fields(of.fields.begin(), of.fields.end());
        if (!field.empty() && !fields.empty()) {
            const auto found = std::find(fields.begin(), fields.end(), field.substr(1));
            if (field[0] != '.' || found == fields.end()) {
                const auto nearest = nearest_name(field.substr(1), fields);
                return fail_generator(
                    "the field " + quoted(field.substr(1)) + " of generator " + quoted(of.name),
                    joined_with_or(fields),
                    nearest.empty() ? nearest : "{" + of.name + "." + nearest + "}");
            }
            place = static_cast<std::uint32_t>(found - fields.begin());
        } else if (field.empty() && !of.has_main_field) {
            return fail_generator(
                "generator " + quoted(of.name) + " without a field",
                "{" + of.name + ".FIELD} with the field " + joined_with_or(fields));
        }
        piece& made = add(piece_kind::generator);
        made.first = static_cast<std::uint32_t>(made_.generator_uses_.size());
        made.decimals = decimals_of_kind;
        made_.generator_uses_.push_back({which, place});
        if (how == ":json") {
            made.width = 1;
        } else if (!how.empty()) {
            const auto decimals = whole_number(how.substr(1));
            if (!decimals || *decimals > decimals_max) {
                return fail("{" + of.name + "}, {" + of.name +
                            ":2} for two decimals (9 at most), "
                            "or {" +
                            of.name + ":json}");
            }
            made.decimals = static_cast<std::uint8_t>(*decimals);
        }
        return true;
    }

    bool read_name(piece_kind kind, std::string_view arguments) {
        add(kind);
        return arguments.empty() || fail("no \":\" and nothing behind the name");
    }

    bool read_fleet(std::string_view arguments) { return read_name(piece_kind::fleet, arguments); }
    bool read_client_id(std::string_view arguments) {
        return read_name(piece_kind::client_id, arguments);
    }
    bool read_request(std::string_view arguments) {
        if (!arguments.starts_with('.')) {
            return read_name(piece_kind::request, arguments);
        }
        const std::string_view path = arguments.substr(1);
        if (path.empty() || path.front() == '.' || path.back() == '.' ||
            path.find("..") != path.npos) {
            return fail("{request}, or {request.NAME.NAME} for a member of a JSON payload");
        }
        const slice part = keep(path);
        piece& made = add(piece_kind::request);
        made.first = part.offset;
        made.size = part.size;
        return true;
    }

    bool read_width(std::string_view arguments, std::uint8_t& width) {
        if (arguments.empty()) {
            return true;
        }
        const auto digits = whole_number(arguments.substr(1));
        if (arguments[0] != ':' || !digits || *digits > width_max) {
            return false;
        }
        width = static_cast<std::uint8_t>(*digits);
        return true;
    }

    bool read_index(std::string_view arguments) {
        const auto first = static_cast<std::uint32_t>(made_.operations_.size());
        while (!arguments.empty() && (arguments[0] == '/' || arguments[0] == '%')) {
            const auto end = std::min(arguments.find_first_of("/%:", 1), arguments.size());
            const auto operand = whole_number(arguments.substr(1, end - 1));
            if (!operand || *operand == 0) {
                break;
            }
            made_.operations_.push_back({arguments[0], *operand});
            arguments.remove_prefix(end);
        }
        piece& made = add(piece_kind::index);
        made.first = first;
        made.size = static_cast<std::uint32_t>(made_.operations_.size()) - first;
        return read_width(arguments, made.width) ||
               fail("{index}, {index:05}, {index/100}, {index%100} or {index/100%10:02}");
    }

    bool read_sequence(std::string_view arguments) {
        return read_width(arguments, add(piece_kind::sequence).width) || fail("{seq} or {seq:06}");
    }

    bool read_time(std::string_view arguments) {
        piece& made = add(piece_kind::time);
        made.form = arguments == ":iso" ? time_form::iso
                    : arguments == ":s" ? time_form::seconds
                                        : time_form::milliseconds;
        return arguments.empty() || made.form != time_form::milliseconds ||
               fail("{time}, {time:s} or {time:iso}");
    }

    /// `MIN..MAX` of `fields[0]`, `further` as written, decimals from the last field, if it is
    /// there, or else the most that any number has.
    bool read_bounds(const std::vector<std::string_view>& fields, piece& made,
                     std::string_view further = {}, std::string_view decimals = {}) {
        const auto dots = fields[0].find("..");
        if (dots == std::string_view::npos) {
            return false;
        }
        const auto min = parse_decimal(fields[0].substr(0, dots));
        const auto max = parse_decimal(fields[0].substr(dots + 2));
        const auto step = parse_decimal(further.empty() ? "0" : further);
        if (!min || !max || !step) {
            return false;
        }
        std::size_t places = std::max({min->decimals, max->decimals, step->decimals});
        if (!decimals.empty()) {
            const auto asked = whole_number(decimals);
            if (!asked || *asked > decimals_max || *asked < places) {
                return false;
            }
            places = static_cast<std::size_t>(*asked);
        }
        const auto low = units_of(*min, places);
        const auto high = units_of(*max, places);
        const auto stride = units_of(*step, places);
        if (!low || !high || !stride) {
            return false;
        }
        made.decimals = static_cast<std::uint8_t>(places);
        made.min = *low;
        made.range = *high - *low;
        made.step = *stride;
        return true;
    }

    bool read_random(std::string_view arguments) {
        const auto fields = split(arguments.substr(arguments.empty() ? 0 : 1), ':');
        piece& made = add(piece_kind::random);
        const bool good = fields.size() <= 2 &&
                          read_bounds(fields, made, {}, fields.size() == 2 ? fields[1] : "") &&
                          made.range >= 0;
        return good || fail(
                           "{random:MIN..MAX} or {random:MIN..MAX:DECIMALS} with MIN not above "
                           "MAX, such as {random:18.5..23.5}");
    }

    bool read_walk(std::string_view arguments) {
        const auto fields = split(arguments.substr(arguments.empty() ? 0 : 1), ':');
        piece& made = add(piece_kind::walk);
        const bool good =
            (fields.size() == 2 || fields.size() == 3) &&
            read_bounds(fields, made, fields[1], fields.size() == 3 ? fields[2] : "") &&
            made.range >= 0 && made.range <= walk_range_max && made.step > 0;
        made.first = static_cast<std::uint32_t>(made_.walk_count_++);
        return good || fail(
                           "{walk:MIN..MAX:STEP} or {walk:MIN..MAX:STEP:DECIMALS} with MIN not "
                           "above MAX and STEP above 0, such as {walk:18.0..24.0:0.2}");
    }

    bool read_wave(std::string_view arguments) {
        const auto fields = split(arguments.substr(arguments.empty() ? 0 : 1), ':');
        piece& made = add(piece_kind::wave);
        const auto period =
            fields.size() == 2 || fields.size() == 3 ? parse_duration(fields[1]) : std::nullopt;
        const bool good = period && *period > duration::zero() &&
                          read_bounds(fields, made, {}, fields.size() == 3 ? fields[2] : "");
        if (good) {
            made.step = period->count();
        }
        return good || fail(
                           "{wave:FROM..TO:PERIOD} or {wave:FROM..TO:PERIOD:DECIMALS}, such as "
                           "{wave:2.5..11.5:24h}");
    }

    bool read_choice(std::string_view arguments) {
        if (arguments.size() < 2 || arguments[0] != ':') {
            return fail("words after a colon, such as {choice:open,closed}");
        }
        const auto first = static_cast<std::uint32_t>(made_.choices_.size());
        for (const auto word : split(arguments.substr(1), ',')) {
            made_.choices_.push_back(keep(word));
        }
        piece& made = add(piece_kind::choice);
        made.first = first;
        made.size = static_cast<std::uint32_t>(made_.choices_.size()) - first;
        return true;
    }

    bool read_size(piece_kind kind, std::string_view arguments, std::uint64_t most) {
        const auto size = whole_number(arguments.substr(arguments.empty() ? 0 : 1));
        if (!arguments.starts_with(':') || !size || *size == 0 || *size > most) {
            return fail("a number from 1 to " + std::to_string(most) + " after a colon");
        }
        add(kind).size = static_cast<std::uint32_t>(*size);
        return true;
    }

    bool read_hex(std::string_view arguments) {
        return read_size(piece_kind::hex, arguments, hex_digits_max);
    }
    bool read_filler(std::string_view arguments) {
        const std::size_t dots = arguments.find("..");
        if (dots == std::string_view::npos || !arguments.starts_with(':')) {
            return read_size(piece_kind::filler, arguments, filler_bytes_max);
        }
        const auto min = whole_number(arguments.substr(1, dots - 1));
        const auto max = whole_number(arguments.substr(dots + 2));
        if (!min || !max || *min > *max || *max > filler_bytes_max) {
            return fail(
                "{filler:BYTES} or {filler:MIN..MAX} with MIN not above MAX, and MAX not "
                "above " +
                std::to_string(filler_bytes_max));
        }
        piece& made = add(piece_kind::filler);
        made.size = static_cast<std::uint32_t>(*min);
        made.range = static_cast<std::int64_t>(*max - *min);
        return true;
    }

    template_use use_;
    std::span<const generator_names> generators_;
    text_template made_;
    template_fault fault_;
    std::string_view placeholder_;
};

text_template::text_template(std::string_view text, template_use use,
                             std::span<const generator_names> generators) {
    auto made = parse(text, use, generators);
    if (const auto* fault = std::get_if<template_fault>(&made)) {
        throw std::invalid_argument("template: found " + fault->found + ", expected " +
                                    fault->expected);
    }
    *this = std::get<text_template>(std::move(made));
}

std::variant<text_template, template_fault> text_template::parse(
    std::string_view text, template_use use, std::span<const generator_names> generators) {
    return compiler(use, generators).run(text);
}

bool text_template::is_placeholder_name(std::string_view name) { return compiler::has_rule(name); }

}  // namespace fleetarium::sim
