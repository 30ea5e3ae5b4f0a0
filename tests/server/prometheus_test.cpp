#include <fleetarium/server/prometheus.hpp>

#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

struct parsed_sample {
    std::string name;
    std::map<std::string, std::string> labels;
    std::string value;
};

struct parsed_family {
    std::string help;
    std::string type;
    std::vector<parsed_sample> samples;
};

/// Reads the text format 0.0.4 as its description has it, and stricter: HELP, TYPE, then samples,
/// each family in one piece, no line that is anything else. Throws with the line at fault.
class exposition_reader {
public:
    explicit exposition_reader(std::string_view text) {
        if (text.empty() || text.back() != '\n') {
            throw std::runtime_error("the last line does not end");
        }
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            line_ = text.substr(0, end);
            text.remove_prefix(end + 1);
            read_line();
        }
        finish_family();
    }

    const std::map<std::string, parsed_family>& families() const { return families_; }

    std::string value(const std::string& name,
                      const std::map<std::string, std::string>& labels = {}) const {
        for (const parsed_sample& each : families_.at(name).samples) {
            if (each.labels == labels) {
                return each.value;
            }
        }
        throw std::runtime_error("no sample of " + name + " with these labels");
    }

private:
    [[noreturn]] void fail(const std::string& why) const {
        throw std::runtime_error(why + ": " + std::string(line_));
    }

    void read_line() {
        rest_ = line_;
        if (take("# HELP ")) {
            finish_family();
            current_ = take_name(true);
            expect(' ');
            if (!families_.try_emplace(current_).second) {
                fail("a family in two pieces");
            }
            families_[current_].help = unescape_help();
        } else if (take("# TYPE ")) {
            if (take_name(true) != current_ || !families_[current_].type.empty()) {
                fail("TYPE does not follow its HELP");
            }
            expect(' ');
            families_[current_].type = rest_;
            if (rest_ != "counter" && rest_ != "gauge") {
                fail("a type that we do not write");
            }
        } else {
            read_sample();
        }
    }

    void read_sample() {
        parsed_sample made;
        made.name = take_name(true);
        if (made.name != current_ || families_[current_].type.empty()) {
            fail("a sample outside its family");
        }
        if (take("{")) {
            do {
                const std::string label = take_name(false);
                expect('=');
                if (!made.labels.emplace(label, take_quoted()).second) {
                    fail("a label twice");
                }
            } while (take(","));
            expect('}');
        }
        expect(' ');
        made.value = rest_;
        char* end = nullptr;
        const bool special = rest_ == "NaN" || rest_ == "+Inf" || rest_ == "-Inf";
        std::strtod(made.value.c_str(), &end);
        if (!special && (made.value.empty() || *end != '\0' || std::isalpha(made.value[0]) != 0)) {
            fail("a value that is no number");
        }
        for (const parsed_sample& each : families_[current_].samples) {
            if (each.labels == made.labels) {
                fail("the same sample twice");
            }
        }
        families_[current_].samples.push_back(made);
    }

    void finish_family() const {
        if (current_.empty()) {
            return;
        }
        const parsed_family& done = families_.at(current_);
        const bool total = current_.size() > 6 && current_.ends_with("_total");
        if (done.help.empty() || done.type.empty() || done.samples.empty()) {
            throw std::runtime_error("a family lacks help, type or samples: " + current_);
        }
        if ((done.type == "counter") != total) {
            throw std::runtime_error("counters, and only they, end in _total: " + current_);
        }
    }

    bool take(std::string_view wanted) {
        if (!rest_.starts_with(wanted)) {
            return false;
        }
        rest_.remove_prefix(wanted.size());
        return true;
    }

    void expect(char wanted) {
        if (!take(std::string_view(&wanted, 1))) {
            fail(std::string("expected ") + wanted);
        }
    }

    std::string take_name(bool colons) {
        std::size_t size = 0;
        while (size < rest_.size() &&
               (std::isalpha(static_cast<unsigned char>(rest_[size])) != 0 || rest_[size] == '_' ||
                (colons && rest_[size] == ':') ||
                (size > 0 && std::isdigit(static_cast<unsigned char>(rest_[size])) != 0))) {
            ++size;
        }
        if (size == 0) {
            fail("a name was expected");
        }
        std::string name(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return name;
    }

    std::string take_quoted() {
        expect('"');
        std::string out;
        for (;;) {
            if (rest_.empty()) {
                fail("a quote without end");
            }
            const char letter = rest_.front();
            rest_.remove_prefix(1);
            if (letter == '"') {
                return out;
            }
            out += letter == '\\' ? take_escaped("\\\"n") : letter;
        }
    }

    std::string unescape_help() {
        std::string out;
        while (!rest_.empty()) {
            const char letter = rest_.front();
            rest_.remove_prefix(1);
            out += letter == '\\' ? take_escaped("\\n") : letter;
        }
        return out;
    }

    char take_escaped(std::string_view allowed) {
        if (rest_.empty() || allowed.find(rest_.front()) == std::string_view::npos) {
            fail("an escape that the format does not have");
        }
        const char letter = rest_.front();
        rest_.remove_prefix(1);
        return letter == 'n' ? '\n' : letter;
    }

    std::string_view line_;
    std::string_view rest_;
    std::string current_;
    std::map<std::string, parsed_family> families_;
};

}  // namespace

TEST_CASE("every counter of the broker is in the Prometheus text", "[prometheus]") {
    // Each word of the struct gets a value of its own: a member that is added later and forgotten
    // in the text is missed here.
    constexpr std::size_t words = sizeof(broker_metrics) / sizeof(std::uint64_t);
    static_assert(sizeof(broker_metrics) == words * sizeof(std::uint64_t));
    std::array<std::uint64_t, words> values{};
    for (std::size_t i = 0; i < words; ++i) {
        values[i] = 1'000'000 + i;
    }
    auto counters = std::bit_cast<broker_metrics>(values);
    const std::uint64_t never_counted = counters.dropped[0];  // drop_reason::none

    std::multiset<std::string> printed;
    const exposition_reader read(prometheus_text(counters, broker_gauges{}));
    for (const auto& [name, family] : read.families()) {
        for (const parsed_sample& each : family.samples) {
            printed.insert(each.value);
        }
    }
    for (const std::uint64_t value : values) {
        CAPTURE(value - 1'000'000);
        CHECK(printed.count(std::to_string(value)) == (value == never_counted ? 0 : 1));
    }
}

TEST_CASE("every gauge is in the Prometheus text", "[prometheus]") {
    std::array<std::size_t, sizeof(broker_gauges) / sizeof(std::size_t)> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = 2'000'000 + i;
    }
    const auto gauges = std::bit_cast<broker_gauges>(values);
    std::multiset<std::string> printed;
    const exposition_reader read(prometheus_text(broker_metrics{}, gauges));
    for (const auto& [name, family] : read.families()) {
        if (family.type == "gauge") {
            printed.insert(family.samples.at(0).value);
        }
    }
    CHECK(printed.size() == values.size());
    for (const std::size_t value : values) {
        CHECK(printed.count(std::to_string(value)) == 1);
    }
}

TEST_CASE("the Prometheus text tells what happened in a broker", "[prometheus]") {
    test::broker_bench bench;
    test::peer& lamp = bench.connected({.client_id = "lamp"});
    test::peer& display = bench.connected({.client_id = "display"});
    bench.subscribe(display, "lamps/+/on", qos::at_least_once);
    bench.publish(lamp, "lamps/7/on", "true", qos::at_least_once, 1, true);
    bench.publish(lamp, "nobody/cares", "x");

    const exposition_reader read(prometheus_text(bench.core()));
    CHECK(read.value("fleetarium_connections") == "2");
    CHECK(read.value("fleetarium_clients_connected") == "2");
    CHECK(read.value("fleetarium_sessions") == "2");
    CHECK(read.value("fleetarium_subscriptions") == "1");
    CHECK(read.value("fleetarium_connections_accepted_total") == "2");
    CHECK(read.value("fleetarium_publish_received_total", {{"qos", "0"}}) == "1");
    CHECK(read.value("fleetarium_publish_received_total", {{"qos", "1"}}) == "1");
    CHECK(read.value("fleetarium_publish_received_total", {{"qos", "2"}}) == "0");
    CHECK(read.value("fleetarium_publish_sent_total", {{"qos", "1"}}) == "1");
    CHECK(read.value("fleetarium_acknowledged_total", {{"qos", "1"}}) == "0");
    CHECK(read.value("fleetarium_messages_dropped_total", {{"reason", "no_subscriber"}}) == "1");
    CHECK(read.value("fleetarium_messages_dropped_total", {{"reason", "queue_full"}}) == "0");
    CHECK(read.value("fleetarium_deliveries_waiting") == "1");
    CHECK(read.value("fleetarium_retained_messages") == "1");
    CHECK(std::stoull(read.value("fleetarium_received_bytes_total")) > 0);
    CHECK(std::stoull(read.value("fleetarium_sent_bytes_total")) > 0);
    CHECK(std::stoull(read.value("fleetarium_core_memory_bytes")) > 0);
}

TEST_CASE("counters are printed to the last digit", "[prometheus]") {
    broker_metrics counters;
    counters.bytes_sent = std::numeric_limits<std::uint64_t>::max();
    const exposition_reader read(prometheus_text(counters, {}));
    CHECK(read.value("fleetarium_sent_bytes_total") == "18446744073709551615");
}

TEST_CASE("metrics of the owner follow those of the core, in the same format", "[prometheus]") {
    const std::vector<metric_family> extra{
        {.name = "fleetarium_listener_connections",
         .help = "Connections by listener.\nWith a \\ in it.",
         .kind = metric_kind::gauge,
         .samples = {{.labels = {{"listener", "unix:///a \"b\"\\\n"}, {"tls", "no"}}, .value = 2},
                     {.labels = {{"listener", "mqtt://127.0.0.1:1883"}}, .value = 0.25}}},
        {.name = "fleetarium_edge",
         .help = "Values that no counter has.",
         .samples =
             {{.labels = {{"kind", "nan"}}, .value = std::numeric_limits<double>::quiet_NaN()},
              {.labels = {{"kind", "more"}}, .value = std::numeric_limits<double>::infinity()},
              {.labels = {{"kind", "less"}}, .value = -std::numeric_limits<double>::infinity()}}},
    };
    const exposition_reader read(prometheus_text({}, {}, extra));
    CHECK(read.families().at("fleetarium_listener_connections").help ==
          "Connections by listener.\nWith a \\ in it.");
    CHECK(read.value("fleetarium_listener_connections",
                     {{"listener", "unix:///a \"b\"\\\n"}, {"tls", "no"}}) == "2");
    CHECK(read.value("fleetarium_listener_connections", {{"listener", "mqtt://127.0.0.1:1883"}}) ==
          "0.25");
    CHECK(read.value("fleetarium_edge", {{"kind", "nan"}}) == "NaN");
    CHECK(read.value("fleetarium_edge", {{"kind", "more"}}) == "+Inf");
    CHECK(read.value("fleetarium_edge", {{"kind", "less"}}) == "-Inf");
}

TEST_CASE("a metric of the owner needs a name of its own that is one", "[prometheus]") {
    const auto with_name = [](std::string name) {
        const std::vector<metric_family> extra{
            {.name = std::move(name), .help = "Help.", .samples = {{.value = 1}}}};
        return prometheus_text({}, {}, extra);
    };
    CHECK_NOTHROW(with_name("a:b_1"));
    CHECK_THROWS_AS(with_name(""), std::invalid_argument);
    CHECK_THROWS_AS(with_name("1a"), std::invalid_argument);
    CHECK_THROWS_AS(with_name("a-b"), std::invalid_argument);
    CHECK_THROWS_AS(with_name("fleetarium_sessions"), std::invalid_argument);

    const auto with_label = [](std::string label) {
        const std::vector<metric_family> extra{
            {.name = "a",
             .help = "Help.",
             .samples = {{.labels = {{std::move(label), "x"}}, .value = 1}}}};
        return prometheus_text({}, {}, extra);
    };
    CHECK_NOTHROW(with_label("a_1"));
    CHECK_THROWS_AS(with_label("a:b"), std::invalid_argument);
    CHECK_THROWS_AS(with_label("__a"), std::invalid_argument);
}

TEST_CASE("the process tells about itself under the names that Prometheus uses", "[prometheus]") {
    const exposition_reader read(prometheus_text({}, {}, process_metrics()));
    const auto number = [&](const std::string& name) { return std::stod(read.value(name)); };
    CHECK(number("process_resident_memory_bytes") > 1e5);
    CHECK(number("process_virtual_memory_bytes") >= number("process_resident_memory_bytes"));
    CHECK(number("process_open_fds") >= 3);
    CHECK(number("process_max_fds") > number("process_open_fds"));
    CHECK(number("process_start_time_seconds") > 1.5e9);
    CHECK(number("process_cpu_seconds_total") >= 0);
}
