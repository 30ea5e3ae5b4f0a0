#include <fleetarium/session/client_session.hpp>
#include <fleetarium/sim/simulated_disk.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <support/broker_bench.hpp>
#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// A broker with a session file on a simulated disk, and clients that live through its deaths. The
// process dies at each operation of the disk in turn; clients judge what became of what they were
// told. All in virtual time, in rounds: clients speak, the broker commits and answers, time passes.

using namespace fleetarium;
using namespace fleetarium::test;
using sim::simulated_disk;
using storage::session_file_error;
using storage::sync_mode;

namespace {

/// What a test breaks, to see that the judge finds it.
enum class broken : std::uint8_t { nothing, acknowledges_before_commit };

/// A broker process: dead as soon as its disk is.
class broker_process {
public:
    broker_process(const simulated_disk& disk, sync_mode sync, instant now, broken how)
        : file_({.path = "sessions", .sync = sync, .vfs = disk.vfs_name()}), how_(how) {
        bench_.skip(now.time_since_epoch());
        file_.load(bench_.core(), journal_);
        bench_.core().keep_journal(&journal_);
        bench_.core().go_on(now);
        commit();
    }

    void commit() {
        while (journal_.has_changes()) {
            spent_ = journal_.take(std::move(spent_));
            if (how_ == broken::acknowledges_before_commit) {
                tell();
            }
            file_.write(spent_);
            tell();
        }
    }

    broker_bench& bench() { return bench_; }

private:
    void tell() {
        bench_.core().handle_durable(spent_.position);
        bench_.drain();
    }

    storage::session_file file_;
    storage::change_journal journal_;
    broker_bench bench_;
    storage::session_changes spent_;
    broken how_;
};

/// A client that connects again whenever it can, and remembers what it was told.
struct lasting_client {
    client_options options{};
    client_session session{options};
    std::string id;
    peer* link = nullptr;
    int away = 0;  ///< rounds until it comes back
    bool was_accepted = false;
    std::optional<fleetarium::will> will{};

    explicit lasting_client(std::string name) : id(std::move(name)) {}
    lasting_client(const lasting_client&) = delete;
};

struct plan {
    sync_mode sync = sync_mode::full;
    simulated_disk::options disk{};
    bool power_cut = true;  ///< else SIGKILL
    broken how = broken::nothing;
};

/// One life of a broker and its clients, with one crash at least if the point is reached.
class life {
public:
    static constexpr int messages = 12;
    static constexpr int rounds_max = 300;

    life(const plan& how, std::uint64_t seed)
        : how_(how),
          disk_(how.disk),
          seed_(seed),
          chance_(seed, 0, "life"),
          fate_(seed, 0, "fate") {
        for (lasting_client* each : {&publisher_, &subscriber_, &dying_}) {
            clients_.push_back(each);
        }
    }

    /// How many operations the disk carried out.
    std::uint64_t run(std::uint64_t crash_after) {
        fate_ = random_stream(seed_, crash_after, "fate");
        disk_.crash_after(crash_after);
        for (int i = 0; i < rounds_max && !is_done(); ++i) {
            round();
            if (i == 9) {
                restart_cleanly();
            }
        }
        if (!is_done()) {
            complain("it does not come to an end");
        }
        settle();
        judge();
        process_.reset();
        return disk_.operations();
    }

    const std::vector<std::string>& complaints() const { return complaints_; }
    int crashes() const { return crashes_; }

private:
    // One round

    void round() {
        now_ += 100ms;
        try {
            if (!process_) {
                process_ = std::make_unique<broker_process>(disk_, how_.sync, now_, how_.how);
            }
            process_->bench().advance(now_ - process_->bench().now());
            for (lasting_client* each : clients_) {
                connect(*each);
            }
            speak();
            carry_to_broker();
            // A few rounds share a commit, as turns of a server do.
            if (settling_ || chance_.below(4) != 0) {
                process_->commit();
            }
            carry_to_clients();
        } catch (const session_file_error& error) {
            if (!disk_.has_crashed()) {
                complain(error.what());
                abandoned_ = true;
                process_.reset();
                return;
            }
            crash();
        }
    }

    void crash() {
        ++crashes_;
        // What was on its way arrives, or not.
        if (process_ && fate_.below(2) == 0) {
            carry_to_clients();
        }
        process_.reset();
        for (lasting_client* each : clients_) {
            lose_link(*each);
            each->away = 0;
        }
        if (how_.power_cut) {
            disk_.power_cut(fate_);
        } else {
            disk_.process_kill(fate_);
        }
        if (crashes_ == 1 && fate_.below(2) == 0) {
            disk_.crash_after(disk_.operations() + fate_.below(60));
        }
    }

    /// A process that is told to end, whose last words are a checkpoint.
    void restart_cleanly() {
        if (!process_) {
            return;
        }
        process_.reset();
        for (lasting_client* each : clients_) {
            lose_link(*each);
        }
        if (disk_.has_crashed()) {
            crash();
        }
    }

    void connect(lasting_client& who) {
        if (who.link != nullptr || who.away-- > 0) {
            return;
        }
        who.away = 0;
        if (&who == &dying_) {
            if (who.was_accepted || now_ < instant(200ms)) {
                return;  // it died with the connection
            }
            will_text_ = "will " + std::to_string(++wills_);
            who.will.emplace();
            who.will->topic = "a/will";
            who.will->payload = as_bytes_view(will_text_);
            who.will->qos = qos::exactly_once;
            who.will->delay_interval = 1;
        }
        who.link = &process_->bench().open();
        fleetarium::connect request;
        request.version = protocol_version::v5;
        request.client_id = who.id;
        request.clean_start = false;
        request.session_expiry_interval = 3'600;
        request.will = who.will;
        require(who.session.connect(request, now_).has_value());
    }

    /// What the applications want.
    void speak() {
        if (subscriber_.session.is_connected()) {
            if (!subscribed_ && !asked_) {
                const subscription_request wanted[] = {
                    {"a/#", {qos::exactly_once, false, false, retain_handling::send}},
                    {"b/#", {qos::exactly_once, false, false, retain_handling::send}}};
                fleetarium::subscribe request;
                request.requests = subscription_requests(wanted);
                require(subscriber_.session.subscribe(request, now_).has_value());
                asked_ = true;
            } else if (subscribed_ && published_ >= 3 && !unsubscribed_ && !asked_) {
                const std::string_view unwanted[] = {"b/#"};
                fleetarium::unsubscribe request;
                request.filters = topic_filters(unwanted);
                require(subscriber_.session.unsubscribe(request, now_).has_value());
                asked_ = true;
            }
        }
        if (subscribed_ && publisher_.session.is_connected() && published_ < messages) {
            const int number = ++published_;
            const std::string text = std::to_string(number);
            fleetarium::publish message;
            std::string topic = number % 3 == 0   ? "a/" + text
                                : number % 3 == 1 ? std::string("a/same")
                                                  : std::string("a/plain");
            if (number % 5 == 4 && unsubscribed_) {
                topic = "b/" + text;
                unwanted_.insert(number);
            }
            message.topic = topic;
            message.payload = as_bytes_view(text);
            message.qos = number % 4 < 2 ? qos::exactly_once : qos::at_least_once;
            message.retain = number % 3 != 2;
            if (number == messages) {  // the last one clears what an early one left
                message.topic = "a/3";
                message.payload = {};
            }
            require(publisher_.session.publish(message, now_, static_cast<std::uint64_t>(number))
                        .has_value());
            sent_[number] = {std::string(message.topic), message.qos, message.retain};
        }
    }

    void carry_to_broker() {
        for (lasting_client* each : clients_) {
            const bytes out = to_bytes(each->session.poll_transmit());
            if (each->link != nullptr && !out.empty()) {
                each->link->send_bytes(out);
            }
        }
    }

    void carry_to_clients() {
        for (lasting_client* each : clients_) {
            if (each->link == nullptr) {
                continue;
            }
            // Now and then a connection breaks, and what it carried is lost.
            if (!settling_ && each != &dying_ && chance_.below(12) == 0) {
                each->away = static_cast<int>(chance_.below(3));
                each->link->cut();
                lose_link(*each);
                continue;
            }
            while (auto packet = each->link->take()) {
                for (bytes_view input = packet->raw; !input.empty();) {
                    hear(*each, each->session.handle_bytes(input, now_));
                }
            }
            if (each->link->closed()) {
                lose_link(*each);
            }
        }
    }

    void lose_link(lasting_client& who) {
        if (who.link != nullptr) {
            // Before the subscription is made, a will finds nobody.
            will_is_due_ = &who == &dying_ ? subscribed_ : will_is_due_;
            who.link = nullptr;
            who.session.poll_transmit();
            who.session.handle_closed(now_);
        }
        if (&who == &subscriber_) {
            asked_ = false;
        }
    }

    void hear(lasting_client& who, const client_event& event) {
        if (const auto* answer = std::get_if<connack>(&event)) {
            if (answer->code != reason_code::success) {
                complain(who.id + " was refused");
            }
            if (who.was_accepted && !answer->session_present) {
                complain(who.id + "'s session was lost");
            }
            who.was_accepted = true;
        } else if (const auto* done = std::get_if<delivery_acknowledged>(&event)) {
            acknowledged_.insert(static_cast<int>(done->done.message->identity().number));
        } else if (std::holds_alternative<suback>(event)) {
            asked_ = false;
            subscribed_ = true;
        } else if (std::holds_alternative<unsuback>(event)) {
            asked_ = false;
            unsubscribed_ = true;
        } else if (const auto* message = std::get_if<fleetarium::publish>(&event)) {
            const std::string text(as_text(message->payload));
            if (message->topic == "a/will") {
                ++wills_heard_[text];
            } else {
                heard_.push_back(text.empty() ? messages : std::stoi(text));
            }
        } else if (std::holds_alternative<protocol_violation>(event)) {
            complain(who.id + " saw the broker break a rule");
        }
    }

    // The end

    bool is_done() const {
        return abandoned_ ||
               (published_ == messages && acknowledged_.size() == messages && dying_.was_accepted);
    }

    /// All come back but the one that dies, and nothing goes wrong any more: first no link, then
    /// no disk.
    void settle() {
        settling_ = true;
        for (int i = 0; i < 60 && !abandoned_; ++i) {
            if (i == 30) {
                disk_.crash_after(simulated_disk::no_limit);
            }
            if (i == 2 && dying_.link != nullptr) {
                dying_.link->cut();
                lose_link(dying_);
            }
            round();
        }
    }

    void judge() {
        if (abandoned_) {
            return;
        }
        std::map<int, int> times;
        int newest = 0;
        for (const int number : heard_) {
            if (times[number]++ == 0) {
                if (number < newest) {
                    complain(name_of(number) + " came after " + name_of(newest));
                }
                newest = number;
            }
        }
        for (const auto& [number, what] : sent_) {
            const int count = times.contains(number) ? times[number] : 0;
            if (unwanted_.contains(number)) {
                if (count != 0) {
                    complain(name_of(number) + " came after UNSUBACK");
                }
            } else if (count == 0) {
                complain(name_of(number) + " was lost");
            } else if (count > 1 && what.level == qos::exactly_once) {
                complain(name_of(number) + " came " + std::to_string(count) + " times");
            }
        }
        for (int i = 1; i <= wills_; ++i) {
            const std::string text = "will " + std::to_string(i);
            const int count = wills_heard_.contains(text) ? wills_heard_[text] : 0;
            if (count > 1 || (i == wills_ && will_is_due_ && count == 0)) {
                complain(text + " came " + std::to_string(count) + " times");
            }
        }
        judge_retained();
    }

    void judge_retained() {
        std::map<std::string, std::string> expected;
        for (const auto& [number, what] : sent_) {
            if (what.retain) {
                expected[what.topic] = std::to_string(number);
            }
        }
        expected.erase("a/3");
        broker_bench& bench = process_->bench();
        peer& reader = bench.connected({.client_id = "reader"});
        bench.subscribe(reader, "#", qos::at_least_once);
        process_->commit();
        std::map<std::string, std::string> kept;
        while (reader.waiting() != 0) {
            const auto message = reader.take_as<fleetarium::publish>();
            kept[std::string(message.topic)] = as_text(message.payload);
        }
        if (kept != expected) {
            complain("retained messages are " + text_of(kept) + ", expected " + text_of(expected));
        }
    }

    static std::string text_of(const std::map<std::string, std::string>& messages_by_topic) {
        std::string out;
        for (const auto& [topic, payload] : messages_by_topic) {
            out += (out.empty() ? "" : " ") + topic + "=" + payload;
        }
        return out;
    }
    std::string name_of(int number) {
        return "message " + std::to_string(number) + " on " + sent_[number].topic +
               (sent_[number].level == qos::exactly_once ? " (QoS 2)" : " (QoS 1)");
    }

    void complain(const std::string& what) { complaints_.push_back(what); }
    void require(bool done) {
        if (!done) {
            complain("a client refused what it was told to do");
        }
    }

    struct sent_message {
        std::string topic;
        enum qos level = qos::at_most_once;
        bool retain = false;
    };

    plan how_;
    simulated_disk disk_;
    std::uint64_t seed_;
    random_stream chance_;  // what clients do
    random_stream fate_;    // what a crash does
    instant now_{};
    std::unique_ptr<broker_process> process_;
    lasting_client publisher_{"publisher"};
    lasting_client subscriber_{"subscriber"};
    lasting_client dying_{"dying"};
    std::vector<lasting_client*> clients_;
    int crashes_ = 0;
    bool settling_ = false;
    bool abandoned_ = false;
    bool asked_ = false;
    bool subscribed_ = false;
    bool unsubscribed_ = false;
    int published_ = 0;
    std::map<int, sent_message> sent_;
    std::set<int> acknowledged_;
    std::set<int> unwanted_;
    std::vector<int> heard_;
    int wills_ = 0;
    std::string will_text_;
    bool will_is_due_ = false;
    std::map<std::string, int> wills_heard_;
    std::vector<std::string> complaints_;
};

struct verdict {
    int points = 0;
    int crashes = 0;
    int convicted = 0;  ///< points with a complaint
    std::string first{};
};

verdict explore(const plan& how, std::uint64_t seeds) {
    const std::uint64_t one_in = test::one_case_in();
    verdict out;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const std::uint64_t operations = life(how, seed).run(simulated_disk::no_limit);
        for (std::uint64_t point = seed % one_in; point < operations; point += one_in) {
            life one(how, seed);
            one.run(point);
            ++out.points;
            out.crashes += one.crashes();
            if (!one.complaints().empty()) {
                ++out.convicted;
                if (out.first.empty()) {
                    out.first = "seed " + std::to_string(seed) + ", operation " +
                                std::to_string(point) + ": " + one.complaints().front();
                }
            }
        }
    }
    UNSCOPED_INFO(out.points << " points, " << out.crashes << " crashes, " << out.convicted
                             << " convicted; " << out.first);
    return out;
}

plan plan_with(sync_mode sync, bool power_cut, std::uint32_t sector_size = 4096,
               bool atomic_sectors = true) {
    plan out;
    out.sync = sync;
    out.power_cut = power_cut;
    out.disk.medium = {.sector_size = sector_size, .atomic_sectors = atomic_sectors};
    return out;
}

}  // namespace

TEST_CASE("clients find nothing wrong where no process dies", "[storage]") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        life one(plan_with(sync_mode::full, true), seed);
        one.run(simulated_disk::no_limit);
        CHECK(one.crashes() == 0);
        CHECK(one.complaints() == std::vector<std::string>());
    }
}

TEST_CASE("a power cut at any operation of the disk loses nothing acknowledged",
          "[storage][v5/MQTT-4.1.0-1]") {
    const auto [sector_size, atomic] = GENERATE(std::pair(4096U, true), std::pair(512U, false));
    const verdict of = explore(plan_with(sync_mode::full, true, sector_size, atomic), 3);
    CHECK(of.points > test::share_of(500));
    CHECK(of.crashes > of.points * 5 / 4);
    CHECK(of.convicted == 0);
}

TEST_CASE("a process that is killed at any operation of the disk loses nothing acknowledged",
          "[storage]") {
    const sync_mode sync = GENERATE(sync_mode::full, sync_mode::normal, sync_mode::off);
    const verdict of = explore(plan_with(sync, false), 1);
    CHECK(of.points > test::share_of(100));
    CHECK(of.convicted == 0);
}

TEST_CASE("clients convict a broker that promises too much", "[storage]") {
    SECTION("that syncs less than a power cut asks for") {
        CHECK(explore(plan_with(sync_mode::normal, true), 1).convicted > test::share_of(10));
    }
    SECTION("whose disk lies about sync") {
        plan liar = plan_with(sync_mode::full, true);
        liar.disk.lies_about_sync = true;
        CHECK(explore(liar, 1).convicted > test::share_of(10));
    }
    SECTION("that acknowledges before it commits, even if it is only killed") {
        plan hasty = plan_with(sync_mode::full, false);
        hasty.how = broken::acknowledges_before_commit;
        CHECK(explore(hasty, 1).convicted > test::share_of(10));
    }
}

TEST_CASE("lives of many seeds, each with a power cut at any operation", "[.nightly]") {
    for (const auto& [sector_size, atomic] : {std::pair(4096U, true), std::pair(512U, false)}) {
        CHECK(explore(plan_with(sync_mode::full, true, sector_size, atomic), 100).convicted == 0);
    }
}
