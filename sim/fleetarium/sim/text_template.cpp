#include <fleetarium/sim/text_template.hpp>

#include <fleetarium/config/json_document.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/exact_math.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/sim/json_member.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace fleetarium::sim {

using namespace config;

namespace {

void append_padded(std::string& out, std::uint64_t number, std::size_t width) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    const auto size = static_cast<std::size_t>(end - digits);
    if (size < width) {
        out.append(width - size, '0');
    }
    out.append(digits, size);
}

/// `units` counts steps of the last of `decimals` decimals.
void append_decimal(std::string& out, std::int64_t units, std::size_t decimals) {
    if (units < 0) {
        out += '-';
    }
    auto magnitude = static_cast<std::uint64_t>(units < 0 ? -units : units);
    std::uint64_t scale = 1;
    for (std::size_t i = 0; i < decimals; ++i) {
        scale *= 10;
    }
    append_padded(out, magnitude / scale, 1);
    if (decimals != 0) {
        out += '.';
        append_padded(out, magnitude % scale, decimals);
    }
}

/// As if the run began with the year 2000.
void append_date(std::string& out, instant now) {
    using namespace std::chrono;
    constexpr sys_days epoch = year(2000) / January / 1;
    const auto at = epoch + duration_cast<milliseconds>(now.time_since_epoch());
    const auto day = floor<days>(at);
    const year_month_day date = day;
    const hh_mm_ss time(at - day);
    append_padded(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    append_padded(out, static_cast<std::uint64_t>(time.hours().count()), 2);
    out += ':';
    append_padded(out, static_cast<std::uint64_t>(time.minutes().count()), 2);
    out += ':';
    append_padded(out, static_cast<std::uint64_t>(time.seconds().count()), 2);
    out += '.';
    append_padded(out, static_cast<std::uint64_t>(time.subseconds().count()), 3);
    out += 'Z';
}

/// 0 at the beginning of the period, 1 in its middle, 0 at its end, along a cosine.
double wave_height(std::int64_t at, std::int64_t period) {
    constexpr double full_circle = 6.283185307179586;
    const double turn = static_cast<double>(at % period) / static_cast<double>(period);
    return (1 - exact_math::cos(full_circle * turn)) / 2;
}

/// One step of the walk; `state` is 0 before the first and then the position + 1.
std::int64_t walk_on(std::uint32_t& state, std::int64_t range, std::int64_t step,
                     random_stream& random) {
    std::int64_t position = 0;
    if (state == 0) {
        position = random.between(0, range);
    } else {
        position = static_cast<std::int64_t>(state) - 1 + random.between(-step, step);
        // The bounds reflect; a step wider than the range ends at the bound.
        if (position < 0) {
            position = std::min(-position, range);
        } else if (position > range) {
            position = std::max<std::int64_t>(2 * range - position, 0);
        }
    }
    state = static_cast<std::uint32_t>(position + 1);
    return position;
}

void append_hex(std::string& out, std::size_t count, random_stream& random) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 16 == 0) {
            bits = random.next_u64();
        }
        out += digits[bits & 0xF];
        bits >>= 4;
    }
}

void append_filler(std::string& out, std::size_t count) {
    constexpr std::string_view filler =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    for (; count > filler.size(); count -= filler.size()) {
        out += filler;
    }
    out += filler.substr(0, count);
}

/// The request, or, with a path, a member of it.
void append_request(std::string& out, std::string_view request, std::string_view path) {
    const std::string_view part = path.empty() ? request : detail::find_json_member(request, path);
    out += part.empty() && !path.empty() ? "null" : part;
}

void append_generated(std::string& out, const generator_value& value, std::size_t decimals,
                      bool as_json) {
    if (value.missing) {
        out += "null";
        return;
    }
    switch (value.form) {
        case field_form::boolean: out += value.number != 0 ? "true" : "false"; return;
        case field_form::name:
            if (as_json && !value.bare) {
                out += json_quoted(value.text);
            } else {
                out += value.text;
            }
            return;
        case field_form::number: break;
    }
    double scaled = value.number;
    for (std::size_t i = 0; i < decimals; ++i) {
        scaled *= 10;
    }
    // Beyond, doubles have no halves to round, and more digits than 64 bits.
    if (scaled > -0x1p52 && scaled < 0x1p52) {
        append_decimal(out, static_cast<std::int64_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5),
                       decimals);
        return;
    }
    char digits[400];
    const auto end = std::to_chars(digits, digits + sizeof digits, value.number,
                                   std::chars_format::fixed, static_cast<int>(decimals));
    out.append(digits, end.ptr);
}

}  // namespace

void text_template::render(const template_values& values, std::string& out) const {
    // A stream for each message: what one message draws does not depend on those before it.
    random_stream random(random_key{combine(values.random.value, values.sequence)});
    for (const piece& part : pieces_) {
        render_piece(part, values, random, out);
    }
}

// NOLINTNEXTLINE(readability-function-size): flat dispatch.
void text_template::render_piece(const piece& part, const template_values& values,
                                 random_stream& random, std::string& out) const {
    switch (part.kind) {
        case piece_kind::literal: out.append(text_, part.first, part.size); break;
        case piece_kind::fleet: out += values.fleet; break;
        case piece_kind::client_id: out += values.client_id; break;
        case piece_kind::request:
            append_request(out, values.request, text_of({part.first, part.size}));
            break;
        case piece_kind::index: {
            std::uint64_t number = values.index;
            for (std::uint32_t i = part.first; i < part.first + part.size; ++i) {
                const auto& [sign, operand] = operations_[i];
                number = sign == '/' ? number / operand : number % operand;
            }
            append_padded(out, number, part.width);
            break;
        }
        case piece_kind::sequence: append_padded(out, values.sequence, part.width); break;
        case piece_kind::time: {
            const auto since = values.now.time_since_epoch();
            if (part.form == time_form::iso) {
                append_date(out, values.now);
            } else {
                const auto unit = part.form == time_form::seconds ? 1'000'000'000 : 1'000'000;
                append_decimal(out, since.count() / unit, 0);
            }
            break;
        }
        case piece_kind::random:
            append_decimal(out, random.between(part.min, part.min + part.range), part.decimals);
            break;
        case piece_kind::walk: {
            FLEETARIUM_ASSERT(part.first < values.walks.size());
            const auto position = walk_on(values.walks[part.first], part.range, part.step, random);
            append_decimal(out, part.min + position, part.decimals);
            break;
        }
        case piece_kind::wave: {
            const double height = wave_height(values.now.time_since_epoch().count(), part.step) *
                                  static_cast<double>(part.range);
            const auto units = static_cast<std::int64_t>(height < 0 ? height - 0.5 : height + 0.5);
            append_decimal(out, part.min + units, part.decimals);
            break;
        }
        case piece_kind::choice:
            out += text_of(choices_[part.first + random.below(part.size)]);
            break;
        case piece_kind::hex: append_hex(out, part.size, random); break;
        case piece_kind::filler: {
            // Always so many bytes: nothing is drawn, and what others draw stays as it is.
            const std::int64_t more = part.range == 0 ? 0 : random.between(0, part.range);
            append_filler(out, part.size + static_cast<std::size_t>(more));
            break;
        }
        case piece_kind::generator: {
            FLEETARIUM_ASSERT(part.first < values.generated.size());
            const generator_value& value = values.generated[part.first];
            append_generated(out, value,
                             part.decimals == decimals_of_kind ? value.decimals : part.decimals,
                             part.width != 0);
            break;
        }
    }
}

bool text_template::is_constant() const {
    return std::all_of(pieces_.begin(), pieces_.end(), [](const piece& part) {
        return part.kind == piece_kind::literal ||
               (part.kind == piece_kind::filler && part.range == 0);
    });
}

bool text_template::differs_by_device() const {
    return std::any_of(pieces_.begin(), pieces_.end(), [](const piece& part) {
        return part.kind == piece_kind::index || part.kind == piece_kind::client_id;
    });
}

bool text_template::is_json_value() const {
    if (pieces_.size() != 1) {
        return false;
    }
    const piece& part = pieces_.front();
    switch (part.kind) {
        case piece_kind::index:
        case piece_kind::sequence: return part.width <= 1;  // JSON numbers have no leading zeros
        case piece_kind::time: return part.form != time_form::iso;
        case piece_kind::random:
        case piece_kind::walk:
        case piece_kind::wave: return true;
        case piece_kind::request: return part.size != 0;
        case piece_kind::choice:
            for (std::uint32_t i = part.first; i < part.first + part.size; ++i) {
                const auto option = parse_json(text_of(choices_[i]));
                if (!option.root || option.root->kind > json_kind::number) {
                    return false;
                }
            }
            return true;
        default: return false;
    }
}

}  // namespace fleetarium::sim
