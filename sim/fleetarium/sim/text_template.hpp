#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/sim/generator_type.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fleetarium::sim {

/// What a template is for decides which placeholders it may have.
enum class template_use : std::uint8_t {
    client_id,  ///< {fleet}, {index}: also user names and passwords
    topic,      ///< and {client_id}: fixed for a device; also filters and will payloads
    payload,    ///< and those that differ from message to message
    reply,      ///< and {request}
};

/// What templates know of a generator of their fleet.
struct generator_names {
    std::string name{};
    std::vector<std::string> fields{};           ///< empty: not known, any will do
    bool has_main_field = true;                  ///< whether {name} stands for the first
    template_use since = template_use::payload;  ///< the first use that may have it
};

/// A generator's field that a template shows: numbers in the lists it was compiled with.
struct generator_use {
    std::uint32_t generator = 0;
    std::uint32_t field = 0;

    bool operator==(const generator_use&) const = default;
};

/// What a generator's field is at the moment of rendering.
struct generator_value {
    double number = 0;        ///< finite
    std::string_view text{};  ///< of names
    field_form form = field_form::number;
    std::uint8_t decimals = 2;
    bool missing = false;
    bool bare = false;  ///< a name that is no name but stands as it is, in JSON too
};

/// What the placeholders of a template stand for in one rendering.
struct template_values {
    std::string_view fleet{};
    std::uint64_t index = 0;  ///< of the device in its fleet
    std::string_view client_id{};
    std::uint64_t sequence = 1;  ///< of the message: 1 for the device's first
    instant now{};
    random_key random{};               ///< one per device and publication
    std::span<std::uint32_t> walks{};  ///< walk_count() numbers, 0 at first, kept for the device
    std::string_view request{};        ///< payload of the message answered
    std::span<const generator_value> generated{};  ///< one for each of generator_uses()
};

/// Why a text is no template.
struct template_fault {
    std::string found{};
    std::string expected{};
    std::string suggestion{};
};

/// Text with placeholders, compiled once and rendered many times.
///
///     {fleet}  {client_id}             names
///     {index}  {index:05}              number of the device in its fleet, from 0
///     {index/100}  {index%100}         divided by, remainder of; also {index/100%10:02}
///     {seq}  {seq:06}                  number of the message, from 1
///     {time}  {time:s}  {time:iso}     virtual time: milliseconds or seconds since the run began,
///                                      or a date: the run begins on 2000-01-01
///     {random:0..100}  {random:18.5..23.5:1}      evenly; the last number is the decimals,
///                                      without it as many as the bounds are written with
///     {walk:18.0..24.0:0.2}            per device: begins anywhere, then up to one step a message
///     {wave:2.5..11.5:24h}             a smooth wave: the first value at the beginning of the
///                                      run, the second half a period later
///     {choice:open,closed}             one of them
///     {hex:16}                         random hexadecimal digits
///     {filler:64}  {filler:16..256}    so many bytes, always the same; as many as are drawn
///     {request}                        in replies: the payload of the request
///     {request.state.delta}            in replies to JSON: a member of it, as JSON; null if there
///                                      is none
///     {NAME}  {NAME.FIELD}             the value of a generator of the fleet (generator.hpp), or a
///                                      variable of its behaviour (behaviour.hpp);
///     {NAME:2}  {NAME:json}            with so many decimals; as a JSON value: names in quotes
///
/// A `{` that no letter follows is text, so JSON can be written as it is; `{{` is a plain `{`.
/// Rendering allocates nothing once the buffer has grown, depends on nothing but the values, and
/// gives the same bytes on every machine. Thread rule: const calls from any thread.
class text_template {
public:
    /// The empty text.
    text_template() = default;

    /// Throws std::invalid_argument with the fault in words.
    text_template(std::string_view text, template_use use,
                  std::span<const generator_names> generators = {});

    static std::variant<text_template, template_fault> parse(
        std::string_view text, template_use use, std::span<const generator_names> generators = {});

    /// Whether {name} means something without any generator.
    static bool is_placeholder_name(std::string_view name);

    /// The generators' fields that a rendering needs, in the order that it needs them in.
    std::span<const generator_use> generator_uses() const { return generator_uses_; }

    /// Appends the text to `out`. Linear in what is appended.
    void render(const template_values& values, std::string& out) const;

    /// How many numbers of state {walk} needs for each device.
    std::size_t walk_count() const { return walk_count_; }

    /// Whether each rendering is the same text, whatever the values.
    bool is_constant() const;

    /// Whether the text may differ between devices of a fleet.
    bool differs_by_device() const;

    /// Whether the template is a single placeholder that renders as a JSON number (or, for
    /// choices of them only, as a number, true, false or null).
    bool is_json_value() const;

private:
    enum class piece_kind : std::uint8_t {
        literal,
        fleet,
        client_id,
        request,
        index,
        sequence,
        time,
        random,
        walk,
        wave,
        choice,
        hex,
        filler,
        generator,
    };

    enum class time_form : std::uint8_t { milliseconds, seconds, iso };

    /// One run of text or one placeholder; the members a kind does not name are unused.
    struct piece {
        piece_kind kind = piece_kind::literal;
        time_form form = time_form::milliseconds;
        std::uint8_t width = 0;     ///< index, sequence: digits at least; generator: 1 is JSON
        std::uint8_t decimals = 0;  ///< random, walk, wave; generator: or decimals_of_kind
        std::uint32_t first = 0;    ///< literal, request: offset; index: operation; choice; walk:
                                    ///< state; generator: use
        std::uint32_t size = 0;     ///< literal, request, hex, filler: bytes; index, choice: how
                                    ///< many
        std::int64_t min = 0;       ///< random, walk, wave: in units of the last decimal
        std::int64_t range = 0;     ///< the same: max - min (of a falling wave below 0); filler:
                                    ///< up to so many bytes more
        std::int64_t step = 0;      ///< walk: units; wave: period in nanoseconds
    };

    struct operation {
        char sign = '/';  ///< or '%'
        std::uint64_t operand = 1;
    };

    struct slice {
        std::uint32_t offset = 0;
        std::uint32_t size = 0;
    };

    static constexpr std::uint8_t decimals_of_kind = 255;

    class compiler;

    void render_piece(const piece& part, const template_values& values, random_stream& random,
                      std::string& out) const;
    std::string_view text_of(slice part) const {
        return std::string_view(text_).substr(part.offset, part.size);
    }

    std::vector<piece> pieces_;
    std::vector<operation> operations_;
    std::vector<slice> choices_;
    std::vector<generator_use> generator_uses_;
    std::string text_;  ///< all literals and choices, one after the other
    std::size_t walk_count_ = 0;
};

}  // namespace fleetarium::sim
