#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/config/json_document.hpp>
#include <fleetarium/config/problem.hpp>
#include <fleetarium/core/clock.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// How values look in the JSON of our files. One value_type per kind of value says how it is read,
/// what to expect where it is wrong, what its JSON Schema is, and how it is written;
/// object_type.hpp puts them together to objects.
namespace fleetarium::config::detail {

/// A walk through a JSON tree: knows where it is and takes down what is wrong.
class reading {
public:
    /// `origins[position.origin]` is what a problem names as its file; from 1 on they are
    /// command line options, which have no lines. The list may grow.
    explicit reading(const std::vector<std::string>& origins) : origins_(origins) {}

    void report(const text_position& at, std::string found, std::string expected,
                std::string suggestion = {});
    void report(const json_value& at, std::string expected) {
        report(at.position, describe(at), std::move(expected));
    }

    /// Calls `read` with the pointer one token longer.
    template <class Token, class Read>
    void inside(const Token& token, Read&& read) {
        std::string outer = pointer_;
        pointer_ = pointer_to(outer, token);
        std::forward<Read>(read)();
        pointer_ = std::move(outer);
    }

    /// The value as a message shows it.
    static std::string describe(const json_value& value);

    std::vector<problem> take_problems() { return std::move(problems_); }
    std::size_t problem_count() const { return problems_.size(); }

private:
    const std::vector<std::string>& origins_;
    std::string pointer_;
    std::vector<problem> problems_;
};

/// The schemas of objects by name, collected while a schema is written.
using definitions = std::vector<json_member>;

template <class T>
struct value_type {
    /// "a whole number from 1 to 10".
    std::string expected;
    /// Leaves the result alone where the value is wrong, and reports.
    std::function<void(reading&, const json_value&, T&)> read;
    std::function<json_value(definitions&)> schema;
    /// The value as the schema shows a default; none where "not set" or what has no short form.
    std::function<std::optional<json_value>(const T&)> show;
    /// The value as JSON that reads back as the same; none where "not set". Empty: as `show`.
    std::function<std::optional<json_value>(const T&)> write{};
};

/// The value as JSON that reads back as the same; none where "not set".
template <class T>
std::optional<json_value> written(const value_type<T>& type, const T& value) {
    return type.write ? type.write(value) : type.show(value);
}

// A schema of one or two members, which is nearly each.
json_value schema_of(std::vector<json_member> members);
json_member schema_member(std::string_view name, json_value value);
json_value schema_any_of(std::vector<json_value> choices);

/// The schema of durations such as "250ms".
json_value duration_schema();
inline constexpr std::string_view duration_example = R"(such as "250ms" or "1h30m")";

/// The shortest text that reads back as `number`.
std::string number_text(double number);

value_type<bool> boolean();
value_type<std::string> text();
value_type<std::string> name_text();  ///< not empty
value_type<double> number(double min, double max);
value_type<duration> duration_from(duration min, bool or_never = false);
value_type<std::uint64_t> bandwidth();
value_type<enum qos> qos_number();

namespace erased {

value_type<std::int64_t> integer(std::int64_t min, std::int64_t max);
value_type<std::int64_t> size(std::int64_t min, std::int64_t max);
value_type<std::int64_t> seconds(std::int64_t max, std::optional<std::int64_t> never);
value_type<std::size_t> word(std::vector<std::string_view> words);

}  // namespace erased

/// A value_type<To> that does as `from` does, with a cast.
template <class To, class From>
value_type<To> cast(value_type<From> from) {
    return {from.expected,
            [read = from.read](reading& in, const json_value& value, To& result) {
                const auto before = in.problem_count();
                From wide{};
                read(in, value, wide);
                if (in.problem_count() == before) {
                    result = static_cast<To>(wide);
                }
            },
            from.schema,
            [show = from.show](const To& value) { return show(static_cast<From>(value)); },
            [from](const To& value) { return written(from, static_cast<From>(value)); }};
}

/// Bounds beyond 2^53 are cut to it: JSON numbers are exact only up to there.
template <std::integral T>
std::int64_t json_bound(T bound) {
    constexpr std::int64_t exact_max = std::int64_t{1} << 53;
    return std::cmp_greater(bound, exact_max) ? exact_max : static_cast<std::int64_t>(bound);
}

template <std::integral T>
value_type<T> integer(T min, T max = std::numeric_limits<T>::max()) {
    return cast<T>(erased::integer(json_bound(min), json_bound(max)));
}

/// Bytes: a number, or text such as "64kB".
template <std::integral T>
value_type<T> size(T min, T max = std::numeric_limits<T>::max()) {
    return cast<T>(erased::size(json_bound(min), json_bound(max)));
}

/// A count of seconds, written as a duration; `never`, if given, is written "never".
template <std::integral T>
value_type<T> seconds(T max, std::optional<T> never = {}) {
    return cast<T>(
        erased::seconds(json_bound(max), never ? std::optional(json_bound(*never)) : std::nullopt));
}

/// One of the words; the enumerators count from 0 in their order.
template <class Enumeration>
value_type<Enumeration> word(std::vector<std::string_view> words) {
    return cast<Enumeration>(erased::word(std::move(words)));
}

template <class T>
value_type<std::optional<T>> optional_of(value_type<T> inner) {
    return {inner.expected,
            [read = inner.read](reading& in, const json_value& value, std::optional<T>& result) {
                const auto before = in.problem_count();
                T made{};
                read(in, value, made);
                // Of an object with a mistake the rest is there to be checked.
                if (in.problem_count() == before || value.kind == json_kind::object) {
                    result = std::move(made);
                }
            },
            inner.schema,
            [show = inner.show](const std::optional<T>& value) {
                return value ? show(*value) : std::nullopt;
            },
            [inner](const std::optional<T>& value) {
                return value ? written(inner, *value) : std::nullopt;
            }};
}

template <class T>
value_type<std::vector<T>> list_of(value_type<T> inner) {
    std::string expected = "a list, each element " + inner.expected;
    return {expected,
            [inner, expected](reading& in, const json_value& value, std::vector<T>& result) {
                if (value.kind != json_kind::array) {
                    in.report(value, expected);
                    return;
                }
                result.clear();
                for (std::size_t i = 0; i < value.elements.size(); ++i) {
                    in.inside(i, [&] { inner.read(in, value.elements[i], result.emplace_back()); });
                }
            },
            [schema = inner.schema](definitions& all) {
                return schema_of({schema_member("type", json_string("array")),
                                  schema_member("items", schema(all))});
            },
            [](const std::vector<T>&) { return std::nullopt; },
            [inner](const std::vector<T>& value) {
                std::vector<json_value> elements;
                elements.reserve(value.size());
                for (const T& each : value) {
                    elements.push_back(written(inner, each).value_or(json_value{}));
                }
                return std::optional(json_array(std::move(elements)));
            }};
}

}  // namespace fleetarium::config::detail
