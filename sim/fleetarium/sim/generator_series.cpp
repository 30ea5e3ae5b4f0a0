#include <fleetarium/sim/generator_series.hpp>

#include <fleetarium/config/document.hpp>
#include <fleetarium/config/json_document.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

namespace fleetarium::sim {

double value_series::at(duration time, bool between, series_end end) const {
    if (end == series_end::loop && length() > duration::zero()) {
        time %= length();
    }
    const auto after =
        std::upper_bound(points_.begin(), points_.end(), time,
                         [](duration wanted, const point& each) { return wanted < each.at; });
    const point& before = after == points_.begin() ? points_.front() : *(after - 1);
    if (!between) {
        return before.value;
    }
    point next = before;
    if (after != points_.end()) {
        next = *after;
    } else if (end == series_end::loop) {
        next = {length(), points_.front().value};
    }
    if (next.at <= before.at) {
        return before.value;
    }
    const double part = static_cast<double>((time - before.at).count()) /
                        static_cast<double>((next.at - before.at).count());
    return before.value * (1 - part) + next.value * part;
}

namespace detail {

using namespace config;

namespace {

constexpr std::size_t series_file_max = std::size_t{256} << 20;

/// Reads rows of fields, and knows where they began.
class row_reader {
public:
    explicit row_reader(std::string_view text) : rest_(text) {
        if (rest_.starts_with("\xEF\xBB\xBF")) {
            rest_.remove_prefix(3);
        }
        line_begin_ = rest_.data();
    }

    /// The next row that is not empty; false at the end.
    bool next(std::vector<std::string>& fields) {
        while (!rest_.empty() && (rest_[0] == '\n' || rest_[0] == '\r')) {
            skip();
        }
        fields.clear();
        places_.clear();
        row_ = here();
        if (rest_.empty()) {
            return false;
        }
        for (;;) {
            places_.push_back(here());
            fields.push_back(read_field());
            if (rest_.empty()) {
                return true;
            }
            const bool ends_row = rest_[0] == '\n';
            skip();
            if (ends_row) {
                return true;
            }
        }
    }

    text_position row() const { return row_; }
    text_position place_of(std::size_t field) const { return places_[field]; }

private:
    text_position here() const {
        return {line_, static_cast<std::uint32_t>(rest_.data() - line_begin_ + 1), 0};
    }

    void skip() {
        const bool ends_line = rest_[0] == '\n';
        rest_.remove_prefix(1);
        if (ends_line) {
            ++line_;
            line_begin_ = rest_.data();
        }
    }

    std::string read_field() {
        std::string field;
        if (rest_.starts_with('"')) {
            skip();
            while (!rest_.empty()) {
                if (rest_.starts_with("\"\"")) {
                    skip();
                } else if (rest_[0] == '"') {
                    skip();
                    break;
                }
                field += rest_[0];
                skip();
            }
        }
        const auto end = std::min(rest_.find_first_of(",\n"), rest_.size());
        field += rest_.substr(0, end);
        rest_.remove_prefix(end);
        while (!field.empty() && (field.back() == '\r' || field.back() == ' ')) {
            field.pop_back();
        }
        field.erase(0, std::min(field.find_first_not_of(' '), field.size()));
        return field;
    }

    std::string_view rest_;
    const char* line_begin_ = nullptr;
    std::uint32_t line_ = 1;
    text_position row_;
    std::vector<text_position> places_;
};

std::optional<double> parse_number(std::string_view text) {
    text.remove_prefix(text.starts_with('+') ? 1 : 0);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    // Written as a word, "inf" and "nan" are numbers to the library.
    return whole && number - number == 0 ? std::optional(number) : std::nullopt;
}

std::optional<unsigned> digits_at(std::string_view text, std::size_t at, std::size_t count) {
    unsigned number = 0;
    if (at + count > text.size()) {
        return std::nullopt;
    }
    const char* const begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + count, number);
    return error == std::errc() && end == begin + count ? std::optional(number) : std::nullopt;
}

/// Since 1970: 2010-01-31, then T or a space and 06:30 or 06:30:15, then perhaps Z.
std::optional<duration> parse_date(std::string_view text) {
    using namespace std::chrono;
    if (text.ends_with('Z')) {
        text.remove_suffix(1);
    }
    const bool has_time = text.size() == 16 || text.size() == 19;
    const bool shaped = (has_time || text.size() == 10) && (text[4] == '-' || text[4] == '/') &&
                        text[7] == text[4] &&
                        (!has_time || ((text[10] == 'T' || text[10] == ' ') && text[13] == ':' &&
                                       (text.size() == 16 || text[16] == ':')));
    if (!shaped) {
        return std::nullopt;
    }
    const auto year_number = digits_at(text, 0, 4);
    const auto month_number = digits_at(text, 5, 2);
    const auto day_number = digits_at(text, 8, 2);
    const auto hour = has_time ? digits_at(text, 11, 2) : 0U;
    const auto minute = has_time ? digits_at(text, 14, 2) : 0U;
    const auto second = text.size() == 19 ? digits_at(text, 17, 2) : 0U;
    if (!year_number || !month_number || !day_number || !hour || !minute || !second) {
        return std::nullopt;
    }
    const year_month_day date{year(static_cast<int>(*year_number)), month(*month_number),
                              day(*day_number)};
    if (!date.ok() || *year_number < 1700 || *year_number > 2200 || *hour > 23 || *minute > 59 ||
        *second > 59) {
        return std::nullopt;
    }
    return duration(sys_days(date).time_since_epoch()) + hours(*hour) + minutes(*minute) +
           seconds(*second);
}

/// Seconds, as many decimals as there are nanoseconds, or a date.
std::optional<duration> parse_time(std::string_view text) {
    if (const auto number = parse_number(text)) {
        constexpr double limit = 4e9;  // the difference of two has to fit 64 bits of nanoseconds
        if (*number < -limit || *number > limit) {
            return std::nullopt;
        }
        const double nanoseconds = *number * 1e9;
        return duration(
            static_cast<duration::rep>(nanoseconds < 0 ? nanoseconds - 0.5 : nanoseconds + 0.5));
    }
    return parse_date(text);
}

std::uint8_t decimals_in(std::string_view text) {
    constexpr std::size_t most = 6;
    const auto point = text.find('.');
    if (point == std::string_view::npos) {
        return 0;
    }
    const auto end = std::min(text.find_first_of("eE"), text.size());
    return static_cast<std::uint8_t>(std::min(end - point - 1, most));
}

/// From a text to points; the first mistake ends it.
class series_reader {
public:
    series_reader(std::string_view text, const std::string& file, const series_generator& spec)
        : rows_(text), file_(file), spec_(spec) {}

    std::variant<std::shared_ptr<const value_series>, problem> run() {
        if (!read_names()) {
            return std::move(fault_);
        }
        std::vector<std::string> row;
        while (rows_.next(row)) {
            if (!read_row(row)) {
                return std::move(fault_);
            }
        }
        if (points_.empty()) {
            fail("no rows", "at least one row below the names");
            return std::move(fault_);
        }
        duration closing = spec_.period;
        if (closing == duration::zero()) {
            // As far as the last two rows are apart: a series of even rows goes on evenly.
            closing = points_.size() > 1 ? points_.back().at - points_[points_.size() - 2].at
                                         : duration(std::chrono::seconds(1));
        }
        return std::make_shared<const value_series>(std::move(points_), closing, decimals_);
    }

private:
    bool fail(std::string found, std::string expected, std::string suggestion = {}) {
        const text_position at = rows_.row();
        fault_ = {file_,
                  at.line,
                  at.column,
                  {},
                  std::move(found),
                  std::move(expected),
                  std::move(suggestion)};
        return false;
    }

    bool fail_field(const std::string& text, std::size_t place, std::string expected) {
        fail(quoted(text) + " in column " + quoted(names_[place]), std::move(expected));
        fault_.line = rows_.place_of(place).line;
        fault_.column = rows_.place_of(place).column;
        return false;
    }

    bool read_names() {
        if (!rows_.next(names_)) {
            return fail("an empty file", "a line with the names of columns");
        }
        return find(spec_.column, column_) && (spec_.time.empty() || find(spec_.time, time_));
    }

    bool find(const std::string& name, std::size_t& place) {
        const auto found = std::find(names_.begin(), names_.end(), name);
        if (found == names_.end()) {
            const std::vector<std::string_view> names(names_.begin(), names_.end());
            return fail("no column " + quoted(name), "one of the columns " + joined_with_or(names),
                        nearest_name(name, names));
        }
        place = static_cast<std::size_t>(found - names_.begin());
        return true;
    }

    bool read_row(const std::vector<std::string>& row) {
        if (row.size() != names_.size()) {
            return fail(std::to_string(row.size()) + (row.size() == 1 ? " field" : " fields"),
                        std::to_string(names_.size()) + ", as the first line has names");
        }
        const auto value = parse_number(row[column_]);
        if (!value) {
            return fail_field(row[column_], column_, "a number");
        }
        const auto rows = static_cast<duration::rep>(points_.size());
        if (rows > duration::max() / std::max(spec_.period, duration(1)) - 1) {
            return fail("rows for more than 290 years", "fewer, or a shorter period");
        }
        duration at = spec_.period * rows;
        if (!spec_.time.empty()) {
            const auto time = parse_time(row[time_]);
            if (!time) {
                return fail_field(row[time_], time_,
                                  "a number of seconds, or a date such as 2010-01-31T06:30");
            }
            first_ = points_.empty() ? *time : first_;
            at = *time - first_;
            if (!points_.empty() && at <= points_.back().at) {
                return fail_field(row[time_], time_, "a time after that of the row before");
            }
        }
        points_.push_back({at, *value});
        decimals_ = std::max(decimals_, decimals_in(row[column_]));
        return true;
    }

    row_reader rows_;
    const std::string& file_;
    const series_generator& spec_;
    std::vector<std::string> names_;
    std::size_t column_ = 0;
    std::size_t time_ = 0;
    duration first_{};
    std::vector<value_series::point> points_;
    std::uint8_t decimals_ = 0;
    problem fault_;
};

}  // namespace

std::variant<std::shared_ptr<const value_series>, problem> parse_series(
    std::string_view text, const std::string& file, const series_generator& spec) {
    return series_reader(text, file, spec).run();
}

std::variant<std::shared_ptr<const value_series>, problem> read_series(const series_generator& spec,
                                                                       const std::string& folder,
                                                                       scenario_inputs* inputs) {
    const bool absolute = spec.file.starts_with('/');
    const std::string path = absolute || folder.empty() ? spec.file : folder + "/" + spec.file;
    scenario_inputs read_here;
    auto text = (inputs != nullptr ? *inputs : read_here)
                    .read(spec.file, path, series_file_max, "a file of a csv generator");
    if (auto* const wrong = std::get_if<problem>(&text)) {
        return std::move(*wrong);
    }
    return parse_series(std::get<std::string_view>(text), path, spec);
}

}  // namespace detail

}  // namespace fleetarium::sim
