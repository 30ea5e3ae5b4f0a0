#include "run_live.hpp"

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/net/url.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <unistd.h>
#include <utility>

namespace fleetarium::cli {

namespace {

using namespace std::chrono_literals;

/// How long a broker may take to answer at all, and a farewell to be written.
constexpr duration probe_limit = 5s;
constexpr duration farewell_limit = 2s;

/// How long an audit waits for what is under way at the end, and for how long a broker has to say
/// nothing to be done; of the broker's time.
constexpr duration drain_usual = 10s;
constexpr duration drain_quiet = 2s;

/// Files that are open beside the devices' connections.
constexpr std::size_t other_files = 64;

std::vector<std::string> broker_names(const sim::scenario& described) {
    std::vector<std::string> out;
    for (const sim::broker_spec& each : described.brokers) {
        out.push_back(each.name);
    }
    if (out.empty()) {
        out.push_back(sim::broker_spec().name);
    }
    return out;
}

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& each : names) {
        out += (out.empty() ? "" : ", ") + each;
    }
    return out;
}

std::uint64_t devices_of(const sim::scenario& described, const std::string& broker) {
    std::uint64_t out = 0;
    for (const sim::fleet_spec& each : described.fleets) {
        const std::string named =
            each.broker.empty() ? broker_names(described).front() : each.broker;
        out += named == broker ? each.count : 0;
    }
    return out;
}

/// Certificates for devices that are to have their own, all else as `otherwise` says; empty if no
/// fleet is to.
std::function<net::tls_options(const sim::link_owner&)> certificates_of(
    const sim::scenario& described, const net::tls_options& otherwise) {
    std::map<std::string, net::test_certificate_authority, std::less<>> by_fleet;
    for (const sim::fleet_spec& each : described.fleets) {
        if (each.certificates) {
            by_fleet.emplace(each.name, each.certificates->seed);
        }
    }
    if (by_fleet.empty()) {
        return nullptr;
    }
    auto authorities =
        std::make_shared<const decltype(by_fleet)>(std::move(by_fleet));  // functions are copied
    return [authorities, otherwise](const sim::link_owner& device) {
        const auto found = authorities->find(device.fleet);
        if (found == authorities->end()) {
            return otherwise;
        }
        net::tls_options made = found->second.device_tls(device.client_id);
        if (!otherwise.authorities.empty()) {
            made.authorities = otherwise.authorities;
        }
        made.verify_peer = otherwise.verify_peer;
        return made;
    };
}

/// How the flags want brokers to be audited.
sim::audit_options audit_of(const live_flags& flags, double pace) {
    sim::audit_options made;
    made.identity = flags.audit == "none"      ? sim::identity_place::none
                    : flags.audit == "payload" ? sim::identity_place::payload
                                               : sim::identity_place::user_property;
    // A broker may hold messages of an earlier run, retained or in its sessions.
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    made.run = static_cast<std::uint32_t>(
        hash_text(std::to_string(now.count()) + '.' + std::to_string(::getpid())) >> 32);
    made.queue_limit = flags.queue_limit.value_or(made.queue_limit);
    made.pace = pace;
    return made;
}

/// What a fault would have to do to the broker's side of a link, which is out of reach; or empty.
std::string out_of_reach(const sim::fault_spec& fault) {
    using sim::fault_kind;
    const auto direction = fault.direction.value_or(sim::link_direction::both);
    if (sim::hits_broker(fault.kind)) {
        return "a broker outside is stopped and started by whoever runs it";
    }
    if (fault.kind == fault_kind::slow_reader) {
        return "how fast its socket is read, only the connection outside decides";
    }
    if (fault.kind == fault_kind::half_open && fault.knows == sim::link_side::broker) {
        return "only the device's side of a link can be told that it is broken (\"knows\": "
               "\"device\")";
    }
    if (fault.kind == fault_kind::cut_in_packet && direction != sim::link_direction::up) {
        return "only packets on their way up can be cut in two (\"direction\": \"up\")";
    }
    return {};
}

}  // namespace

live_run::live_run(const sim::scenario& described, const live_flags& flags, double pace)
    : is_paced_(pace != sim::paced_run::unlimited) {
    const auto listen_places = parse(described, flags.listen, "--listen");
    target_places_ = parse(described, flags.targets, "--target");
    const auto is_tls = [](const place& each) { return each.url.is_tls(); };
    const bool listens_with_tls = std::any_of(listen_places.begin(), listen_places.end(), is_tls);
    const bool targets_with_tls = std::any_of(target_places_.begin(), target_places_.end(), is_tls);
    if (listens_with_tls && targets_with_tls) {
        throw usage_error(
            "--cert, --key and --ca would be those of a server and of clients at "
            "once: use TLS for --listen or for --target, not for both");
    }
    if (flags.insecure && !targets_with_tls) {
        throw usage_error("--insecure is for a --target with TLS, mqtts:// or wss://");
    }
    const bool has_tls_flags =
        !flags.certificate.empty() || !flags.private_key.empty() || !flags.authorities.empty();
    if (has_tls_flags && !listens_with_tls && !targets_with_tls) {
        throw usage_error("--cert, --key and --ca are for TLS: use a URL with mqtts:// or wss://");
    }
    for (const place& each : listen_places) {
        for (const place& other : target_places_) {
            if (each.broker == other.broker) {
                throw usage_error("broker \"" + each.broker +
                                  "\" is outside, by --target: it cannot --listen here, too");
            }
        }
    }
    check_faults(described);
    check_limits(described);
    audit_ = audit_of(flags, pace);
    drain_max_ = flags.drain.empty() ? drain_usual : *config::parse_duration(flags.drain);
    make_targets(described, flags);

    sim::remote_brokers remote;
    for (const auto& [name, target] : targets_) {
        remote.emplace(name, target.get());
    }
    world_ = std::make_unique<sim::world>(sim::world::from(described, remote, audit_));
    run_ = std::make_unique<sim::paced_run>(*world_, context_, pace);
    for (const auto& [name, target] : targets_) {
        target->serve(*run_);
    }
    clients_ = std::make_unique<sim::real_clients>(
        *run_, [](std::string_view line) { std::cerr << "fleetarium: " << line << '\n'; });
    const net::tls_options tls{.certificate = flags.certificate,
                               .private_key = flags.private_key,
                               .authorities = flags.authorities};
    if (listens_with_tls) {
        try {
            const net::tls_context usable(net::tls_role::server, tls);
        } catch (const std::runtime_error& error) {
            throw usage_error(error.what());
        }
    }
    for (const place& each : listen_places) {
        const net::url bound = clients_->listen(*world_->find_broker(each.broker), each.url, tls);
        std::cout << "listening on " << to_string(bound)
                  << (broker_names(described).size() > 1 ? " for broker " + each.broker : "")
                  << std::endl;
    }
    if (!listen_places.empty() && pace != 1) {
        std::cerr << fmt::format(
            "fleetarium: the brokers' time goes {:g} times as fast as their clients': a keep alive "
            "of 60 s is over after {:.3g} s\n",
            pace, 60 / pace);
    }
}

std::vector<live_run::place> live_run::parse(const sim::scenario& described,
                                             const std::vector<std::string>& given,
                                             const char* flag) const {
    const std::vector<std::string> names = broker_names(described);
    std::vector<place> out;
    for (const std::string& text : given) {
        const std::size_t equals = std::min(text.find('='), text.size());
        const bool named = equals < text.find("://");
        const net::url_or_problem parsed = net::parse_url(named ? text.substr(equals + 1) : text);
        if (!parsed.problem.empty()) {
            throw usage_error(fmt::format("{} {}: {}", flag, text, parsed.problem));
        }
        place made{named ? text.substr(0, equals) : names.front(), parsed.value};
        if (!named && names.size() > 1) {
            throw usage_error(
                fmt::format("{0} {1}: the scenario has several brokers, {2}: say which, for "
                            "example {0} {3}={1}",
                            flag, text, joined(names), names.front()));
        }
        if (std::find(names.begin(), names.end(), made.broker) == names.end()) {
            throw usage_error(fmt::format("{} {}: the scenario has no broker \"{}\"; it has {}",
                                          flag, text, made.broker, joined(names)));
        }
        out.push_back(std::move(made));
    }
    return out;
}

/// Before anything is started: in the middle of a run it would be a riddle.
void live_run::check_limits(const sim::scenario& described) const {
    const std::size_t files = sim::raise_descriptor_limit();
    if (target_places_.empty()) {
        return;
    }
    // Who takes a device's connection over has another one.
    const bool take_over =
        std::any_of(described.faults.begin(), described.faults.end(),
                    [](const auto& each) { return each.kind == sim::fault_kind::take_over; });
    const std::uint64_t connections = take_over ? 2 : 1;
    std::uint64_t all = 0;
    for (const place& each : target_places_) {
        const std::uint64_t devices = devices_of(described, each.broker);
        all += devices * connections;
        if (each.url.scheme != net::scheme::unix_socket &&
            devices * connections > sim::local_port_count()) {
            throw std::runtime_error(fmt::format(
                "{} devices would connect to {}, but this machine has only {} ports to connect "
                "from (net.ipv4.ip_local_port_range): make the fleets smaller, for example with "
                "--set fleets.NAME.count=N",
                devices, to_string(each.url), sim::local_port_count()));
        }
    }
    if (all + other_files > files) {
        throw std::runtime_error(fmt::format(
            "each of {} devices needs {} of its own, but this process may have only {} "
            "files open: raise the limit (ulimit -Hn), or make the fleets smaller, for example "
            "with --set fleets.NAME.count=N",
            all / connections,
            take_over ? "two connections, one to be taken over by the other," : "a connection",
            files));
    }
}

/// A fault that would do nothing would let a run pass that says nothing.
void live_run::check_faults(const sim::scenario& described) const {
    const auto is_outside = [&](const std::string& broker) {
        const std::string named = broker.empty() ? broker_names(described).front() : broker;
        return std::any_of(target_places_.begin(), target_places_.end(),
                           [&](const place& each) { return each.broker == named; });
    };
    for (std::size_t i = 0; i < described.faults.size(); ++i) {
        const sim::fault_spec& fault = described.faults[i];
        const std::string why = out_of_reach(fault);
        if (why.empty()) {
            continue;
        }
        const bool concerned =
            sim::hits_broker(fault.kind)
                ? is_outside(fault.broker)
                : std::any_of(described.fleets.begin(), described.fleets.end(),
                              [&](const sim::fleet_spec& each) {
                                  return (fault.fleet.empty() || fault.fleet == each.name) &&
                                         is_outside(each.broker);
                              });
        if (concerned) {
            throw usage_error(fmt::format(
                "/faults/{}: the fault \"{}\" cannot be done to a broker of --target: {}; leave "
                "it out, or run without --target",
                i, sim::name_of(fault.kind), why));
        }
    }
}

void live_run::make_targets(const sim::scenario& described, const live_flags& flags) {
    for (const place& each : target_places_) {
        sim::real_target_options options;
        options.to = each.url;
        options.tls = {.certificate = flags.certificate,
                       .private_key = flags.private_key,
                       .authorities = flags.authorities,
                       .verify_peer = !flags.insecure};
        if (each.url.is_tls()) {
            options.tls_of = certificates_of(described, options.tls);
        }
        if (targets_.contains(each.broker)) {
            throw usage_error("broker \"" + each.broker + "\" has two targets; it can be one");
        }
        try {
            targets_[each.broker] = std::make_unique<sim::real_target>(context_, options);
        } catch (const std::runtime_error& error) {
            throw usage_error(error.what());
        }
        const std::string wrong = targets_[each.broker]->probe(probe_limit);
        if (!wrong.empty()) {
            throw std::runtime_error(wrong);
        }
    }
}

double live_run::seconds_behind() const {
    return std::chrono::duration<double>(run_->report().behind).count();
}

bool live_run::run_until(instant end, const std::function<bool()>& watch) {
    return run_->run_until(end, [&] {
        for (const auto& [name, target] : targets_) {
            if (!target->hopeless().empty()) {
                throw std::runtime_error(target->hopeless());
            }
        }
        return watch();
    });
}

bool live_run::drain(const std::function<bool()>& watch) {
    if (target_places_.empty() || audit_.identity == sim::identity_place::none) {
        return false;
    }
    const auto span = [&](duration real) {
        return duration{
            static_cast<duration::rep>(static_cast<double>(real.count()) * audit_.pace)};
    };
    world_->drain(span(drain_quiet), span(drain_max_), [&](duration step) {
        const instant began = net::real_now();
        const bool goes_on = run_until(saturating_add(world_->now(), step), watch);
        // A world that is behind hurries; the broker is to have its time all the same.
        const duration real{
            static_cast<duration::rep>(static_cast<double>(step.count()) / audit_.pace)};
        for (duration left = real; goes_on && left > duration{};
             left = real - (net::real_now() - began)) {
            context_.run_one_for(left);
        }
        return goes_on;
    });
    return true;
}

void live_run::complete(sim::run_report& report, sim::run_timing& timing) const {
    const auto seconds = [](duration value) {
        return std::chrono::duration<double>(value).count();
    };
    for (sim::remote_broker_report& each : report.remote_brokers) {
        std::string name = std::move(each.name);
        each = targets_.at(name)->report();
        each.name = std::move(name);
    }
    const sim::pace_report pace = run_->report();
    if (is_paced_ && pace.pace != sim::paced_run::unlimited) {
        timing.pace = pace.pace;
        timing.behind_max_seconds = seconds(pace.behind_max);
        timing.behind_total_seconds = seconds(pace.behind_total);
    }
    timing.real_clients = clients_->counted().accepted;
    timing.real_clients_closed = clients_->counted().closed_slow;
}

void live_run::stop() {
    clients_->stop(farewell_limit);
    for (const auto& [name, target] : targets_) {
        target->stop(farewell_limit);
    }
}

}  // namespace fleetarium::cli
