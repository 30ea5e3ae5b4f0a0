#include <fleetarium/sim/sparkplug.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <system_error>

namespace fleetarium::sim {

namespace {

// The fields of sparkplug_b.proto that are written or read, and how: 0 is a varint, 1 and 5 are
// fixed numbers of 8 and 4 bytes, 2 has a length before it.
struct wire_field {
    std::uint32_t number;
    std::uint32_t type;
};

namespace payload_field {
constexpr wire_field timestamp{1, 0};
constexpr wire_field metrics{2, 2};
constexpr wire_field seq{3, 0};
}  // namespace payload_field

namespace metric_field {
constexpr wire_field name{1, 2};
constexpr wire_field alias{2, 0};
constexpr wire_field timestamp{3, 0};
constexpr wire_field datatype{4, 0};
constexpr wire_field is_null{7, 0};
constexpr wire_field properties{9, 2};
constexpr wire_field int_value{10, 0};
constexpr wire_field long_value{11, 0};
constexpr wire_field float_value{12, 5};
constexpr wire_field double_value{13, 1};
constexpr wire_field boolean_value{14, 0};
constexpr wire_field string_value{15, 2};
}  // namespace metric_field

namespace property_field {
constexpr wire_field keys{1, 2};
constexpr wire_field values{2, 2};
constexpr wire_field type{1, 0};
constexpr wire_field string_value{8, 2};
}  // namespace property_field

constexpr std::string_view birth_sequence_name = "bdSeq";
constexpr std::string_view rebirth_name = "Node Control/Rebirth";

std::uint64_t code_of(sparkplug_type type) { return static_cast<std::uint64_t>(type) + 1; }

// Writing

void append_varint(std::string& out, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) {
        out += static_cast<char>(number | 0x80);
    }
    out += static_cast<char>(number);
}

void append_number(std::string& out, wire_field field, std::uint64_t number) {
    append_varint(out, field.number << 3 | field.type);
    append_varint(out, number);
}

void append_bytes(std::string& out, wire_field field, std::string_view bytes) {
    append_varint(out, field.number << 3 | field.type);
    append_varint(out, bytes.size());
    out += bytes;
}

void append_fixed(std::string& out, wire_field field, std::uint64_t bits, int bytes) {
    append_varint(out, field.number << 3 | field.type);
    for (int i = 0; i < bytes; ++i) {
        out += static_cast<char>(bits >> 8 * i);
    }
}

// Values

struct range {
    std::int64_t min;
    std::uint64_t max;
};

range range_of(sparkplug_type type) {
    constexpr auto whole = std::numeric_limits<std::uint64_t>::max();
    switch (type) {
        case sparkplug_type::int8: return {-0x80, 0x7f};
        case sparkplug_type::int16: return {-0x8000, 0x7fff};
        case sparkplug_type::int32: return {-0x8000'0000LL, 0x7fff'ffff};
        case sparkplug_type::int64: return {std::numeric_limits<std::int64_t>::min(), whole >> 1};
        case sparkplug_type::uint8: return {0, 0xff};
        case sparkplug_type::uint16: return {0, 0xffff};
        case sparkplug_type::uint32: return {0, 0xffff'ffff};
        default: return {0, whole};
    }
}

std::optional<double> read_double(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number - number != 0) {
        return std::nullopt;
    }
    return number;
}

/// The bits of a whole number within the range, rounded to if need be.
std::optional<std::uint64_t> read_whole(std::string_view text, range bounds) {
    const char* const end = text.data() + text.size();
    if (text.starts_with('-')) {
        std::int64_t number = 0;
        const auto read = std::from_chars(text.data(), end, number);
        if (read.ec == std::errc() && read.ptr == end) {
            return number >= bounds.min && number <= 0
                       ? std::optional(static_cast<std::uint64_t>(number))
                       : std::nullopt;
        }
    } else {
        std::uint64_t number = 0;
        const auto read = std::from_chars(text.data(), end, number);
        if (read.ec == std::errc() && read.ptr == end) {
            return number <= bounds.max ? std::optional(number) : std::nullopt;
        }
    }
    const auto number = read_double(text);
    // Beyond, doubles have no halves to round.
    if (!number || *number <= -0x1p52 || *number >= 0x1p52) {
        return std::nullopt;
    }
    const auto rounded = static_cast<std::int64_t>(*number < 0 ? *number - 0.5 : *number + 0.5);
    const bool fits =
        rounded >= bounds.min && (rounded < 0 || static_cast<std::uint64_t>(rounded) <= bounds.max);
    return fits ? std::optional(static_cast<std::uint64_t>(rounded)) : std::nullopt;
}

std::optional<bool> read_boolean(std::string_view text) {
    if (text == "true" || text == "false") {
        return text == "true";
    }
    const auto number = read_double(text);
    return number ? std::optional(*number != 0) : std::nullopt;
}

std::optional<float> read_float(std::string_view text) {
    const auto number = read_double(text);
    if (!number || *number > static_cast<double>(std::numeric_limits<float>::max()) ||
        *number < static_cast<double>(std::numeric_limits<float>::lowest())) {
        return std::nullopt;
    }
    return static_cast<float>(*number);
}

/// Appends the value; false, and nothing, if the text is no value of the type.
bool append_value(std::string& out, sparkplug_type type, std::string_view text) {
    switch (type) {
        case sparkplug_type::int8:
        case sparkplug_type::int16:
        case sparkplug_type::int32:
        case sparkplug_type::uint8:
        case sparkplug_type::uint16:
        case sparkplug_type::uint32:
            // Negative ones as 32 bits, two's complement: the field is a uint32.
            if (const auto bits = read_whole(text, range_of(type))) {
                append_number(out, metric_field::int_value, *bits & 0xffff'ffff);
                return true;
            }
            return false;
        case sparkplug_type::int64:
        case sparkplug_type::uint64:
        case sparkplug_type::date_time:
            if (const auto bits = read_whole(text, range_of(type))) {
                append_number(out, metric_field::long_value, *bits);
                return true;
            }
            return false;
        case sparkplug_type::float_number:
            if (const auto number = read_float(text)) {
                append_fixed(out, metric_field::float_value, std::bit_cast<std::uint32_t>(*number),
                             4);
                return true;
            }
            return false;
        case sparkplug_type::double_number:
            if (const auto number = read_double(text)) {
                append_fixed(out, metric_field::double_value, std::bit_cast<std::uint64_t>(*number),
                             8);
                return true;
            }
            return false;
        case sparkplug_type::boolean:
            if (const auto value = read_boolean(text)) {
                append_number(out, metric_field::boolean_value, *value ? 1 : 0);
                return true;
            }
            return false;
        case sparkplug_type::string:
        case sparkplug_type::text:
        case sparkplug_type::uuid: append_bytes(out, metric_field::string_value, text); return true;
    }
    return false;
}

// Reading

/// Walks over the fields of one message.
class wire_reader {
public:
    explicit wire_reader(bytes_view bytes) : rest_(bytes) {}

    /// False at the end, and at what is no message.
    bool next() {
        if (rest_.empty() || !varint(key_)) {
            return false;
        }
        content_ = {};
        switch (key_ & 7) {
            case 0: return varint(number_);
            case 1: return take(8);
            case 2: {
                std::uint64_t size = 0;
                return varint(size) && take(size);
            }
            case 5: return take(4);
            default: return false;
        }
    }

    bool is(wire_field field) const {
        return key_ == (std::uint64_t{field.number} << 3 | field.type);
    }
    std::uint64_t number() const { return number_; }
    bytes_view content() const { return content_; }

private:
    bool varint(std::uint64_t& out) {
        out = 0;
        for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
            const std::uint8_t byte = rest_.front();
            rest_ = rest_.subspan(1);
            out |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80) {
                return true;
            }
        }
        return false;
    }

    bool take(std::uint64_t size) {
        if (size > rest_.size()) {
            return false;
        }
        content_ = rest_.first(static_cast<std::size_t>(size));
        rest_ = rest_.subspan(static_cast<std::size_t>(size));
        return true;
    }

    bytes_view rest_;
    std::uint64_t key_ = 0;
    std::uint64_t number_ = 0;
    bytes_view content_;
};

bool metric_is_true(bytes_view metric, std::string_view name) {
    wire_reader fields(metric);
    bool named = false;
    bool value = false;
    while (fields.next()) {
        if (fields.is(metric_field::name)) {
            named = as_text(fields.content()) == name;
        } else if (fields.is(metric_field::boolean_value)) {
            value = fields.number() != 0;
        }
    }
    return named && value;
}

}  // namespace

bool sparkplug_sets(bytes_view payload, std::string_view metric) {
    wire_reader fields(payload);
    while (fields.next()) {
        if (fields.is(payload_field::metrics) && metric_is_true(fields.content(), metric)) {
            return true;
        }
    }
    return false;
}

namespace detail {

std::uint64_t unix_milliseconds(instant at) {
    constexpr std::uint64_t year_2000 = 946'684'800'000;
    // Clocks that are wrong may show a time before.
    return year_2000 +
           static_cast<std::uint64_t>(
               std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count());
}

bool is_sparkplug_value(sparkplug_type type, std::string_view text) {
    std::string unused;
    return append_value(unused, type, text);
}

void sparkplug_writer::begin(std::string& out, instant now) {
    out_ = &out;
    time_ = unix_milliseconds(now);
    append_number(out, payload_field::timestamp, time_);
}

void sparkplug_writer::add(const sparkplug_metric& metric, form how, std::string_view value,
                           bool missing) {
    metric_.clear();
    const bool by_alias = metric.alias && how != form::birth;
    if (!by_alias) {
        append_bytes(metric_, metric_field::name, metric.name);
    }
    if (metric.alias) {
        append_number(metric_, metric_field::alias, *metric.alias);
    }
    append_number(metric_, metric_field::timestamp, time_);
    if (how != form::data) {
        append_number(metric_, metric_field::datatype, code_of(metric.type));
    }
    if (missing || !append_value(metric_, metric.type, value)) {
        append_number(metric_, metric_field::is_null, 1);
    }
    if (how == form::birth && !metric.unit.empty()) {
        innermost_.clear();
        append_number(innermost_, property_field::type, code_of(sparkplug_type::string));
        append_bytes(innermost_, property_field::string_value, metric.unit);
        inner_.clear();
        append_bytes(inner_, property_field::keys, "engUnit");
        append_bytes(inner_, property_field::values, innermost_);
        append_bytes(metric_, metric_field::properties, inner_);
    }
    add_metric();
}

void sparkplug_writer::add_birth_sequence(std::uint8_t number) {
    metric_.clear();
    append_bytes(metric_, metric_field::name, birth_sequence_name);
    append_number(metric_, metric_field::timestamp, time_);
    append_number(metric_, metric_field::datatype, code_of(sparkplug_type::int64));
    append_number(metric_, metric_field::long_value, number);
    add_metric();
}

void sparkplug_writer::add_rebirth_control() {
    metric_.clear();
    append_bytes(metric_, metric_field::name, rebirth_name);
    append_number(metric_, metric_field::timestamp, time_);
    append_number(metric_, metric_field::datatype, code_of(sparkplug_type::boolean));
    append_number(metric_, metric_field::boolean_value, 0);
    add_metric();
}

void sparkplug_writer::end(std::optional<std::uint8_t> sequence) {
    if (sequence) {
        append_number(*out_, payload_field::seq, *sequence);
    }
}

void sparkplug_writer::add_metric() { append_bytes(*out_, payload_field::metrics, metric_); }

}  // namespace detail

}  // namespace fleetarium::sim
