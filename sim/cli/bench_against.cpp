#include "bench_against.hpp"

#include "bench_against_rows.hpp"
#include "commands.hpp"
#include "load_broker.hpp"
#include "load_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>

namespace fleetarium::cli::bench {

namespace {

/// The best p99 of a run is the least disturbed one: it wants more of them than a median does.
constexpr unsigned latency_rounds_min = 5;

/// Files that neither end of a connection is: the table of descriptors of a usual process.
constexpr std::size_t other_files = 200;

load::broker_under_load other_broker(const against_options& options) {
    if (options.against != "mosquitto") {
        return load::broker_under_load::running(options.against, options.pids);
    }
    if (!options.pids.empty()) {
        throw load::bad_request(
            "--pid names a broker that runs already, and --against mosquitto starts a fresh one; "
            "leave one of them out, or write --against HOST:PORT");
    }
    return load::broker_under_load::mosquitto();
}

/// Both brokers and how they are measured.
class comparison {
public:
    explicit comparison(const against_options& options)
        : options_(options), theirs_(other_broker(options)) {
        if (!options.without_ours) {
            ours_ = load::broker_under_load::ours(load::split_words(options.broker_arguments));
        }
        how_.version = options.version == "5" ? protocol_version::v5 : protocol_version::v3_1_1;
        how_.seconds = options.seconds * options.scale;
        how_.warm_up_seconds = std::min(0.2, how_.seconds);
    }

    const std::string& name_of_other() const { return theirs_.name(); }

    std::vector<against_row> measure(const load::plan& one);

private:
    /// One measurement of one broker; appends to the figures of each of the load's rows.
    using measurement =
        std::function<void(const load::broker_under_load&, std::vector<broker_figures*>)>;

    std::uint32_t scaled(std::uint32_t connections) const {
        return std::max(1u, static_cast<std::uint32_t>(connections * options_.scale));
    }
    void start_both();
    std::vector<against_row> rows_of(const load::plan& one) const;
    void measure_in_turns(std::vector<against_row>& rows, unsigned rounds,
                          const measurement& measure_once);
    void measure_safely(load::broker_under_load& broker, std::vector<broker_figures*> figures,
                        const measurement& measure_once);

    const against_options& options_;
    load::broker_under_load theirs_;
    std::optional<load::broker_under_load> ours_;
    load::manner how_;
    bool want_fresh_ = true;  ///< the brokers that are started here
};

void comparison::start_both() {
    theirs_.start();
    if (ours_) {
        ours_->start();
    }
    want_fresh_ = false;
}

std::vector<against_row> comparison::rows_of(const load::plan& one) const {
    against_row row;
    row.name = one.name;
    row.what = one.what;
    row.asked = one.asked;
    row.against_mosquitto = theirs_.name() == "mosquitto";
    if (ours_) {
        row.ours.emplace();
    }
    if (one.kind == load::kind::idle) {
        row.unit = unit::bytes;
        row.better = better::lower;
    }
    if (one.kind != load::kind::latency) {
        return {row};
    }
    row.unit = unit::microseconds;
    row.better = better::lower;
    against_row slowest = row;
    row.name += "-p50";
    slowest.name += "-p99";
    slowest.what = "the same, best round";
    slowest.summary = summary::best;
    return {row, slowest};
}

void comparison::measure_safely(load::broker_under_load& broker,
                                std::vector<broker_figures*> figures,
                                const measurement& measure_once) {
    if (!figures.front()->problem.empty()) {
        return;  // once is enough
    }
    try {
        measure_once(broker, figures);
    } catch (const load::bad_request&) {
        throw;
    } catch (const load::load_error& error) {
        for (broker_figures* each : figures) {
            each->problem = error.what();
        }
        want_fresh_ = true;
    }
}

void comparison::measure_in_turns(std::vector<against_row>& rows, unsigned rounds,
                                  const measurement& measure_once) {
    std::vector<broker_figures*> ours;
    std::vector<broker_figures*> theirs;
    for (against_row& row : rows) {
        theirs.push_back(&row.theirs);
        if (row.ours) {
            ours.push_back(&*row.ours);
        }
    }
    for (unsigned round = 0; round < rounds; ++round) {
        if (want_fresh_) {
            start_both();
        }
        // Who goes first changes, so that neither always has the warmer machine.
        const bool ours_first = round % 2 == 0;
        if (ours_ && ours_first) {
            measure_safely(*ours_, ours, measure_once);
        }
        measure_safely(theirs_, theirs, measure_once);
        if (ours_ && !ours_first) {
            measure_safely(*ours_, ours, measure_once);
        }
    }
}

std::int64_t percentile(const std::vector<std::int64_t>& sorted, double share) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(at, sorted.size() - 1)];
}

void add_outcome(broker_figures& to, const load::outcome& from) {
    const auto count = static_cast<double>(from.count);
    to.wall_rates.push_back(count / from.wall_seconds);
    to.checked += from.checked;
    to.found.add(from.found);
    if (from.count == 0 || from.cpu_seconds <= 0) {
        to.problem = "nothing came while it was measured; ask for more --seconds";
    }
}

std::vector<against_row> comparison::measure(const load::plan& one) {
    std::vector<against_row> rows = rows_of(one);
    switch (one.kind) {
        case load::kind::messages:
            measure_in_turns(rows, options_.rounds, [&](const auto& broker, const auto& figures) {
                const load::outcome run =
                    load::run_messages(one.traffic, broker.address(), broker.process(), how_);
                add_outcome(*figures[0], run);
                figures[0]->values.push_back(static_cast<double>(run.count) / run.cpu_seconds);
            });
            break;
        case load::kind::storm:
        case load::kind::visits: {
            const bool stays = one.kind == load::kind::storm;
            const std::uint32_t count = stays ? scaled(one.connections) : one.connections;
            measure_in_turns(rows, options_.rounds, [&](const auto& broker, const auto& figures) {
                const auto measure_once = stays ? load::run_storm : load::run_visits;
                const load::outcome run =
                    measure_once(count, broker.address(), broker.process(), how_);
                add_outcome(*figures[0], run);
                figures[0]->values.push_back(static_cast<double>(run.count) / run.cpu_seconds);
            });
            break;
        }
        case load::kind::latency: {
            const unsigned rounds = std::max(options_.rounds, latency_rounds_min);
            measure_in_turns(rows, rounds, [&](const auto& broker, const auto& figures) {
                load::outcome run =
                    load::run_messages(one.traffic, broker.address(), broker.process(), how_);
                add_outcome(*figures[0], run);
                add_outcome(*figures[1], run);
                std::sort(run.latencies_ns.begin(), run.latencies_ns.end());
                if (!run.latencies_ns.empty()) {
                    const auto p50 = static_cast<double>(percentile(run.latencies_ns, 0.5));
                    const auto p99 = static_cast<double>(percentile(run.latencies_ns, 0.99));
                    figures[0]->values.push_back(p50 * 1e-3);
                    figures[1]->values.push_back(p99 * 1e-3);
                }
            });
            break;
        }
        case load::kind::idle: {
            const std::uint32_t count = scaled(one.connections);
            // Only a fresh broker shows what connections cost: memory once used is used again.
            want_fresh_ = true;
            measure_in_turns(rows, 1, [&](const auto& broker, const auto& figures) {
                figures[0]->values.push_back(
                    load::run_idle(count, broker.address(), broker.process(), how_));
            });
            want_fresh_ = true;
            break;
        }
    }
    return rows;
}

std::vector<load::plan> chosen_plans(const against_options& options) {
    const std::vector<load::plan> all = load::suite();
    for (const std::string& name : options.only) {
        if (std::none_of(all.begin(), all.end(),
                         [&](const auto& one) { return load::is_named(one, name); })) {
            throw load::bad_request(
                fmt::format("there is no load '{}'; there are:{}", name, list_of_loads()));
        }
    }
    std::vector<load::plan> out;
    for (const load::plan& one : all) {
        const auto names_it = [&](const auto& name) { return load::is_named(one, name); };
        if (options.only.empty() ||
            std::any_of(options.only.begin(), options.only.end(), names_it)) {
            out.push_back(one);
        }
    }
    return out;
}

int run_chosen(const against_options& options) {
    const std::vector<load::plan> plans = chosen_plans(options);
    comparison both(options);
    std::uint32_t connections = 0;
    for (const load::plan& one : plans) {
        const auto peers = one.traffic.topics.size() + one.traffic.filters.size();
        connections = std::max({connections, one.connections, static_cast<std::uint32_t>(peers)});
    }
    load::raise_open_files_limit(connections + other_files);
    if (!options.json.empty() && !std::ofstream(options.json, std::ios::app)) {
        throw load::bad_request(
            fmt::format("{} cannot be written; name a file in a folder that exists", options.json));
    }

    fmt::print(
        "The same load on both brokers in turns, {} round{} of {:g} s; MQTT {}.\n"
        "Rates are deliveries (or connects) a second of the broker's processor time, then a "
        "second on the wall.\n\n",
        options.rounds, options.rounds == 1 ? "" : "s", options.seconds * options.scale,
        options.version);
    print_heading(both.name_of_other());
    std::vector<against_row> all;
    int status = exit_success;
    for (const load::plan& one : plans) {
        for (against_row& row : both.measure(one)) {
            print_row(row);
            switch (row.verdict()) {
                case verdict::not_carried_out: status = exit_not_carried_out; break;
                case verdict::missed:
                case verdict::invalid: status = std::max(status, exit_expectation_failed); break;
                default: break;
            }
            all.push_back(std::move(row));
        }
    }
    if (!options.json.empty()) {
        write_json(options.json, both.name_of_other(), all);
    }
    return status;
}

}  // namespace

std::string list_of_loads() {
    std::string out;
    for (const load::plan& one : load::suite()) {
        out += fmt::format("\n  {:<13} {}", one.name, one.what);
    }
    return out;
}

int run_against(const against_options& options) {
    try {
        return run_chosen(options);
    } catch (const load::bad_request& error) {
        std::cerr << "fleetarium bench: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const load::load_error& error) {
        std::cerr << "fleetarium bench: " << error.what() << '\n';
        return exit_not_carried_out;
    }
}

}  // namespace fleetarium::cli::bench
