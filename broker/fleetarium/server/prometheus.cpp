#include <fleetarium/server/prometheus.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <unordered_set>

namespace fleetarium::broker {

namespace {

/// Writes families one after the other, each name once.
class exposition {
public:
    void begin(std::string_view name, std::string_view help, metric_kind kind) {
        if (!is_metric_name(name) || !names_.emplace(name).second) {
            throw std::invalid_argument("no metric can be named \"" + std::string(name) +
                                        "\": letters, digits, _ and : are expected, no digit "
                                        "first, and each name once");
        }
        name_ = name;
        text_ += "# HELP ";
        text_ += name;
        text_ += ' ';
        escape(help, false);
        text_ += "\n# TYPE ";
        text_ += name;
        text_ += kind == metric_kind::counter ? " counter\n" : " gauge\n";
    }

    /// `labels` is empty or as it is to stand between the braces.
    template <class Number>
    void sample(std::string_view labels, Number value) {
        text_ += name_;
        if (!labels.empty()) {
            text_ += '{';
            text_ += labels;
            text_ += '}';
        }
        text_ += ' ';
        number(value);
        text_ += '\n';
    }

    void sample(const metric_sample& one) {
        text_ += name_;
        for (std::size_t i = 0; i < one.labels.size(); ++i) {
            text_ += i == 0 ? '{' : ',';
            if (!is_label_name(one.labels[i].first)) {
                throw std::invalid_argument("no label of \"" + name_ + "\" can be named \"" +
                                            one.labels[i].first +
                                            "\": letters, digits and _ are expected, no digit "
                                            "first and not __");
            }
            text_ += one.labels[i].first;
            text_ += "=\"";
            escape(one.labels[i].second, true);
            text_ += '"';
        }
        text_ += one.labels.empty() ? " " : "} ";
        number(one.value);
        text_ += '\n';
    }

    void counter(std::string_view name, std::string_view help, std::uint64_t value) {
        begin(name, help, metric_kind::counter);
        sample({}, value);
    }

    void gauge(std::string_view name, std::string_view help, std::size_t value) {
        begin(name, help, metric_kind::gauge);
        sample({}, static_cast<std::uint64_t>(value));
    }

    void by_qos(std::string_view name, std::string_view help,
                const std::array<std::uint64_t, 3>& values) {
        begin(name, help, metric_kind::counter);
        sample("qos=\"0\"", values[0]);
        sample("qos=\"1\"", values[1]);
        sample("qos=\"2\"", values[2]);
    }

    std::string take() { return std::move(text_); }

private:
    static bool is_letter(char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               letter == '_';
    }
    static bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

    static bool is_metric_name(std::string_view name) {
        return !name.empty() && !is_digit(name.front()) &&
               std::all_of(name.begin(), name.end(), [](char each) {
                   return is_letter(each) || is_digit(each) || each == ':';
               });
    }

    static bool is_label_name(std::string_view name) {
        return !name.empty() && !is_digit(name.front()) && name.substr(0, 2) != "__" &&
               std::all_of(name.begin(), name.end(),
                           [](char each) { return is_letter(each) || is_digit(each); });
    }

    void escape(std::string_view text, bool quotes) {
        for (const char each : text) {
            if (each == '\n') {
                text_ += "\\n";
                continue;
            }
            if (each == '\\' || (quotes && each == '"')) {
                text_ += '\\';
            }
            text_ += each;
        }
    }

    void number(std::uint64_t value) { print(value); }

    void number(double value) {
        if (std::isnan(value)) {
            text_ += "NaN";
        } else if (std::isinf(value)) {
            text_ += value > 0 ? "+Inf" : "-Inf";
        } else {
            print(value);
        }
    }

    template <class Number>
    void print(Number value) {
        std::array<char, 32> digits{};  // the longest double takes 24
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
        text_.append(digits.data(), end);
    }

    std::string text_;
    std::string name_;
    std::unordered_set<std::string> names_;
};

void write_connections(exposition& out, const broker_metrics& counters,
                       const broker_gauges& gauges) {
    out.gauge("fleetarium_connections", "Connections open, accepted or not.", gauges.connections);
    out.gauge("fleetarium_clients_connected", "Sessions that have an accepted connection.",
              gauges.clients_connected);
    out.counter("fleetarium_received_bytes_total", "Bytes of MQTT received from clients.",
                counters.bytes_received);
    out.counter("fleetarium_sent_bytes_total", "Bytes of MQTT sent to clients.",
                counters.bytes_sent);
    out.counter("fleetarium_connections_opened_total", "Transports opened by clients.",
                counters.connections_opened);
    out.counter("fleetarium_connections_accepted_total", "CONNECT packets answered with success.",
                counters.connections_accepted);
    out.counter("fleetarium_connections_refused_total",
                "Connections closed by the broker before they were accepted.",
                counters.connections_refused);
    out.counter("fleetarium_connections_closed_total", "Transports gone.",
                counters.connections_closed);
    out.counter("fleetarium_protocol_violations_total",
                "Connections closed because the client broke a rule of MQTT.",
                counters.protocol_violations);
    out.counter("fleetarium_connect_timeouts_total",
                "Connections closed because no CONNECT came in time.", counters.connect_timeouts);
    out.counter("fleetarium_keep_alive_timeouts_total",
                "Connections closed because nothing came within 1.5 times the keep alive.",
                counters.keep_alive_timeouts);
}

void write_sessions(exposition& out, const broker_metrics& counters, const broker_gauges& gauges) {
    out.gauge("fleetarium_sessions", "Sessions held, connected or not.", gauges.sessions);
    out.gauge("fleetarium_subscriptions", "Subscriptions of all sessions.", gauges.subscriptions);
    out.counter("fleetarium_sessions_taken_over_total",
                "Sessions that another connection of the same client id took over.",
                counters.sessions_taken_over);
    out.counter("fleetarium_sessions_resumed_total", "Sessions resumed by a new connection.",
                counters.sessions_resumed);
    out.counter("fleetarium_sessions_expired_total",
                "Sessions that ended because their expiry interval passed.",
                counters.sessions_expired);
    out.counter("fleetarium_subscriptions_made_total",
                "Subscriptions granted, renewed ones not counted.", counters.subscriptions_made);
    out.counter("fleetarium_subscriptions_refused_total", "Subscriptions refused in SUBACK.",
                counters.subscriptions_refused);
    out.counter("fleetarium_sessions_denied_total",
                "CONNECT packets refused because the session is another user's.",
                counters.sessions_denied);
}

void write_messages(exposition& out, const broker_metrics& counters, const broker_gauges& gauges) {
    out.by_qos("fleetarium_publish_received_total",
               "Messages of clients taken on, by their QoS; repeats and wills not counted.",
               counters.publish_received);
    out.counter("fleetarium_publish_routed_total", "Messages that had at least one delivery.",
                counters.publish_routed);
    out.by_qos("fleetarium_deliveries_total",
               "Deliveries made by routing, one for each receiver, by their QoS.",
               counters.deliveries);
    out.by_qos("fleetarium_publish_sent_total",
               "PUBLISH packets sent, by QoS; resends not counted.", counters.publish_sent);
    out.by_qos("fleetarium_publish_resent_total",
               "PUBLISH packets sent again after a reconnect, by QoS.", counters.publish_resent);
    out.by_qos("fleetarium_acknowledged_total",
               "Deliveries that their receiver acknowledged to the end, by QoS.",
               counters.acknowledged);
    out.begin("fleetarium_messages_dropped_total",
              "Deliveries, or messages with no receiver, that were dropped, by reason.",
              metric_kind::counter);
    for (std::size_t i = 1; i < drop_reason_count; ++i) {  // 0 is "none", which drops nothing
        std::string label("reason=\"");
        label += name_of(static_cast<drop_reason>(i));
        label += '"';
        out.sample(label, counters.dropped[i]);
    }
    out.counter("fleetarium_retained_sent_total",
                "Retained messages sent because of a new subscription.", counters.retained_sent);
    out.counter("fleetarium_wills_published_total", "Will messages published.",
                counters.wills_published);
    out.gauge("fleetarium_deliveries_waiting",
              "Deliveries in the queues of sessions, sent and not acknowledged ones among them.",
              gauges.deliveries_waiting);
    out.gauge("fleetarium_retained_messages", "Topics that have a retained message.",
              gauges.retained_messages);
    out.gauge("fleetarium_retained_bytes", "Bytes of the retained messages.",
              gauges.retained_bytes);
    out.gauge("fleetarium_core_memory_bytes",
              "Memory of the broker core by its own account, queued messages not counted.",
              gauges.memory_bytes);
}

void write_memory(exposition& out, const broker_metrics& counters, const broker_gauges& gauges) {
    out.gauge("fleetarium_memory_max_bytes", "Memory ceiling; 0 is none.", gauges.memory_max);
    out.gauge("fleetarium_memory_used_bytes",
              "Memory on the account of the ceiling; 0 without one.", gauges.memory_used);
    out.gauge("fleetarium_memory_shedding_step",
              "What is shed near the ceiling: 0 nothing, 1 connections, 2 growth, 3 qos_0, 4 "
              "queues, 5 publishers.",
              gauges.memory_step);
    out.begin("fleetarium_memory_shed_total",
              "Refused or dropped near the memory ceiling, by step of shedding.",
              metric_kind::counter);
    for (std::size_t i = 0; i < shedding_step_count; ++i) {
        std::string label("step=\"");
        label += name_of(static_cast<shedding>(i + 1));
        label += '"';
        out.sample(label, counters.shed[i]);
    }
}

}  // namespace

broker_gauges gauges_of(const broker_core& core) {
    broker_gauges out;
    out.connections = core.connection_count();
    out.clients_connected = core.connected_count();
    out.sessions = core.session_count();
    out.subscriptions = core.subscription_count();
    out.retained_messages = core.retained().size();
    out.retained_bytes = core.retained().message_bytes();
    out.deliveries_waiting = core.deliveries_waiting();
    out.memory_bytes = core.memory_bytes();
    out.memory_max = core.memory().ceiling();
    out.memory_used = core.memory().used();
    out.memory_step = static_cast<std::size_t>(core.memory().step());
    return out;
}

std::string prometheus_text(const broker_core& core, std::span<const metric_family> extra) {
    return prometheus_text(core.metrics(), gauges_of(core), extra);
}

std::string prometheus_text(const broker_metrics& counters, const broker_gauges& gauges,
                            std::span<const metric_family> extra) {
    exposition out;
    write_connections(out, counters, gauges);
    write_sessions(out, counters, gauges);
    write_messages(out, counters, gauges);
    write_memory(out, counters, gauges);
    for (const metric_family& family : extra) {
        out.begin(family.name, family.help, family.kind);
        for (const metric_sample& one : family.samples) {
            out.sample(one);
        }
    }
    return out.take();
}

std::vector<metric_family> process_metrics() {
    // /proc/self/stat: the name of the program stands in parentheses and may hold anything, so
    // the fields are counted from the last of them (proc(5): field 3 is the first behind it).
    std::ifstream file("/proc/self/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t behind_name = text.rfind(')');
    if (behind_name == std::string::npos) {
        return {};
    }
    std::istringstream fields(text.substr(behind_name + 1));
    const std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
    const auto field = [&](std::size_t number) {
        return number - 3 < values.size() ? std::strtod(values[number - 3].c_str(), nullptr) : 0;
    };
    const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));

    std::vector<metric_family> out;
    const auto add = [&](std::string_view name, std::string_view help, metric_kind kind,
                         double value) {
        out.push_back({std::string(name), std::string(help), kind, {{{}, value}}});
    };
    add("process_cpu_seconds_total", "Processor time spent, user and system, in seconds.",
        metric_kind::counter, (field(14) + field(15)) / ticks_per_second);
    add("process_virtual_memory_bytes", "Virtual memory size in bytes.", metric_kind::gauge,
        field(23));
    add("process_resident_memory_bytes", "Resident memory size in bytes.", metric_kind::gauge,
        field(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)));

    std::ifstream boot_file("/proc/stat");
    for (std::string line; std::getline(boot_file, line);) {
        if (line.starts_with("btime ")) {
            add("process_start_time_seconds",
                "Start time of the process since the Unix epoch in seconds.", metric_kind::gauge,
                std::strtod(line.c_str() + 6, nullptr) + field(22) / ticks_per_second);
        }
    }

    std::error_code why;
    const std::filesystem::directory_iterator descriptors("/proc/self/fd", why);
    if (!why) {
        // The one that lists the folder is not counted.
        add("process_open_fds", "Number of open file descriptors.", metric_kind::gauge,
            static_cast<double>(std::distance(begin(descriptors), end(descriptors)) - 1));
    }
    rlimit bound{};
    if (::getrlimit(RLIMIT_NOFILE, &bound) == 0) {
        add("process_max_fds", "Maximum number of open file descriptors.", metric_kind::gauge,
            bound.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                            : static_cast<double>(bound.rlim_cur));
    }
    return out;
}

}  // namespace fleetarium::broker
