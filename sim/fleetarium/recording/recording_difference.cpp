#include <fleetarium/recording/recording_difference.hpp>

#include <fleetarium/recording/execution_replay.hpp>
#include <fleetarium/recording/recorded_row.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/schema.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace fleetarium::recording {

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t rows_a_watch = 16'384;

/// Names and facts: rows are compared by what they say of them.
constexpr std::array<std::string_view, 7> tables_without_events{
    "runs", "brokers", "clients", "topics", "delivery_states", "drop_reasons", "inputs"};

/// What one recording can know.
struct side {
    database& tables;
    std::int64_t known_until = never;  ///< nothing from this instant on: it was cut short
    std::int64_t first_message = 0;    ///< older ones were given up for space
};

side side_of(database& tables) {
    side out{.tables = tables};
    if (!tables.integer("SELECT ended_at FROM runs")) {
        out.known_until = recording_known_until(tables);
    }
    if (tables.integer("SELECT forgotten_until FROM runs").value_or(0) > 0) {
        out.first_message = tables.integer("SELECT min(id) FROM messages").value_or(never);
    }
    return out;
}

std::vector<std::string> tables_of(database& of) {
    std::vector<std::string> out;
    statement names(of,
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND "
                    "name NOT LIKE 'sqlite_%' ORDER BY rowid");
    while (names.step()) {
        if (std::find(tables_without_events.begin(), tables_without_events.end(), names.text(0)) ==
            tables_without_events.end()) {
            out.emplace_back(names.text(0));
        }
    }
    return out;
}

class comparison {
public:
    comparison(database& first, database& second, const difference_options& options)
        : first_(side_of(first)),
          second_(side_of(second)),
          options_(options),
          names_(first, second) {}

    recording_difference run() {
        recording_difference out;
        std::vector<std::string> tables = tables_of(first_.tables);
        const std::vector<std::string> others = tables_of(second_.tables);
        std::erase_if(tables, [&](const std::string& each) {
            return std::find(others.begin(), others.end(), each) == others.end() ||
                   (options_.only_events && (each == "annotations" || each == "checkpoints"));
        });
        // Messages first: from them one knows how far the deliveries have to be read.
        std::stable_partition(tables.begin(), tables.end(),
                              [](const std::string& each) { return each == "messages"; });
        for (const std::string& each : tables) {
            if (!compare_table(each)) {
                out.interrupted = true;
                return out;
            }
        }
        for (const std::string& each : tables) {
            const auto rows = [&](side& of) {
                return of.tables.integer("SELECT count(*) FROM " + sql_name(each)).value_or(0);
            };
            const table_counts counts{each, rows(first_), rows(second_)};
            if (counts.first != counts.second) {
                out.counts.push_back(counts);
            }
        }
        out.row = std::move(found_);
        return out;
    }

private:
    std::int64_t found_at() const { return found_ ? found_->at : never; }

    /// Rows with keys in [begin, end) can matter: the rest was given up by one side, or lies behind
    /// the first difference.
    std::int64_t first_key(const recorded_table& of) const {
        const std::int64_t message = std::max(first_.first_message, second_.first_message);
        if (message == 0 || of.by_message == message_key::none) {
            return std::numeric_limits<std::int64_t>::min();
        }
        return of.by_message == message_key::delivery
                   ? std::min(message, never >> deliveries_per_message_bits)
                         << deliveries_per_message_bits
                   : message;
    }

    std::int64_t end_key(const recorded_table& of) {
        if (of.by_message == message_key::none || of.by_message == message_key::beside || !found_ ||
            found_->at == never) {
            return never;
        }
        const std::int64_t message = std::max(first_message_from(first_.tables, found_->at + 1),
                                              first_message_from(second_.tables, found_->at + 1));
        return of.by_message == message_key::delivery ? message << deliveries_per_message_bits
                                                      : message;
    }

    /// False: told to stop.
    bool compare_table(const std::string& name) {
        const recorded_table table(name, first_.tables, second_.tables);
        if (!table.has_rows_in_time()) {
            return true;
        }
        row_cursor a(table, first_.tables, first_key(table));
        row_cursor b(table, second_.tables, first_key(table));
        std::int64_t end = end_key(table);
        std::uint64_t rows = 0;
        while (a.has_row() || b.has_row()) {
            if (++rows % rows_a_watch == 0 && options_.watch && !options_.watch()) {
                return false;
            }
            const std::int64_t key_a = a.has_row() ? a.key() : never;
            const std::int64_t key_b = b.has_row() ? b.key() : never;
            if (std::min(key_a, key_b) >= end) {
                break;
            }
            bool improved = false;
            if (key_a == key_b) {
                improved = compare_pair(table, a, b);
                a.next();
                b.next();
            } else if (key_a < key_b) {
                improved = note_lone(table, a, second_);
                a.next();
            } else {
                improved = note_lone(table, b, first_);
                b.next();
            }
            if (improved) {
                end = end_key(table);
            }
        }
        return true;
    }

    /// Whether the two rows are the earliest difference so far.
    bool compare_pair(const recorded_table& table, const row_cursor& a, const row_cursor& b) {
        if (table.instant_of(a.start()) > found_at() && table.instant_of(b.start()) > found_at()) {
            return false;
        }
        std::int64_t at = never;
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            const recorded_column& column = table.columns[i];
            if (names_.are_equal(table, i, a, b)) {
                continue;
            }
            const std::int64_t when_a = a.instant_of(column);
            const std::int64_t when_b = b.instant_of(column);
            // What had not ended yet when the recording was cut short.
            if ((when_a == never && when_b >= first_.known_until) ||
                (when_b == never && when_a >= second_.known_until)) {
                continue;
            }
            const std::int64_t when = std::min(when_a, when_b);
            at = std::min(at,
                          when == never ? table.instant_of(std::min(a.start(), b.start())) : when);
        }
        if (at >= found_at()) {
            return false;
        }
        note(table, at, &a, &b);
        return true;
    }

    /// The same of a row that only one has.
    bool note_lone(const recorded_table& table, const row_cursor& there, const side& lacks) {
        if (table.only_common) {
            return false;
        }
        const std::int64_t at = table.instant_of(there.start());
        // Written when it ends, or at the end of the run.
        const std::int64_t written = table.instant_of(there.end());
        if (at >= found_at() || written >= lacks.known_until ||
            (table.only_at_end && lacks.known_until != never)) {
            return false;
        }
        const bool is_first = &there.on() == &first_.tables;
        note(table, at, is_first ? &there : nullptr, is_first ? nullptr : &there);
        return true;
    }

    void note(const recorded_table& table, std::int64_t at, const row_cursor* a,
              const row_cursor* b) {
        row_difference made;
        made.table = table.name;
        made.row = (a != nullptr ? a : b)->key();
        made.at = at;
        made.in_first = a != nullptr;
        made.in_second = b != nullptr;
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            compared_column out{.name = table.columns[i].name};
            if (a != nullptr) {
                out.first = names_.show(table, i, *a, b);
            }
            if (b != nullptr) {
                out.second = names_.show(table, i, *b, a);
            }
            out.differs = a != nullptr && b != nullptr && !names_.are_equal(table, i, *a, *b);
            made.columns.push_back(std::move(out));
        }
        found_ = std::move(made);
    }

    side first_;
    side second_;
    const difference_options& options_;
    name_pair names_;
    std::optional<row_difference> found_;
};

}  // namespace

recording_difference compare_rows(database& first, database& second,
                                  const difference_options& options) {
    return comparison(first, second, options).run();
}

}  // namespace fleetarium::recording
