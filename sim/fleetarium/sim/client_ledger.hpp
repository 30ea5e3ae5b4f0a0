#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/session/frame_reader.hpp>
#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/ledger_report.hpp>
#include <fleetarium/sim/ledger_subscriptions.hpp>
#include <fleetarium/sim/ledger_table.hpp>
#include <fleetarium/sim/message_tag.hpp>
#include <fleetarium/sim/remote_broker.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::sim::detail {

/// A table that forgets what is old: between `kept` and twice as many entries are known.
template <class Value>
class recent_table {
public:
    explicit recent_table(std::size_t kept) : kept_(kept) {}

    Value* find(std::uint64_t key) {
        Value* const found = young_.find(key);
        return found != nullptr ? found : old_.find(key);
    }
    Value& operator[](std::uint64_t key) {
        if (Value* const found = find(key)) {
            return *found;
        }
        if (young_.size() >= kept_) {
            old_ = std::exchange(young_, {});
        }
        return *young_.insert(key).first;
    }

private:
    std::size_t kept_;
    ledger_table<Value> young_;
    ledger_table<Value> old_;
};

/// An auditor of a broker outside of the world. It reads every packet on the links to the broker,
/// where they leave the world: nothing that happens to them inside of it, delays, cuts or dying
/// devices, is the broker's doing. Messages are known by the tags that devices put in them.
///
/// What goes in may have reached the broker, and has if the broker answers it; what comes out is
/// the broker's word. So it convicts only of what no order of events out there could explain: a
/// message acknowledged is due to every session that surely lived, with a subscription that had
/// its SUBACK, before the PUBLISH left. It is lost if the broker loses that session, or if all is
/// silent and it has not come (`end`).
///
/// Memory: about 500 bytes a session and its filters, 40 bytes a message and receiver under way
/// (at most audit_options::queue_limit for each session), 24 a flow, 150 a retained topic.
/// Thread rule: one thread at a time.
class client_ledger {
public:
    enum class ended_by : std::uint8_t { device, cut, broker };
    static constexpr std::size_t violations_kept = 100;
    static constexpr std::size_t flows_max = std::size_t{1} << 24;
    static constexpr std::size_t recent_kept = std::size_t{1} << 17;
    /// A SUBSCRIBE is not judged by what is retained if that is on more topics.
    static constexpr std::size_t retained_max = 10'000;

    explicit client_ledger(const audit_options& options) : options_(options) {}

    // Links, by the numbers that the remote broker has for them

    void opened(std::uint32_t link, host_id host, instant now);
    void sent(std::uint32_t link, const wire_buffer& bytes, instant now);
    void received(std::uint32_t link, const wire_buffer& bytes, instant now);
    void ended(std::uint32_t link, ended_by whom, instant now);

    // Devices

    /// The client found fault with what the broker said.
    void fault_found(host_id host, violation broken, instant now);
    /// Devices may say anything on the host's links from now on: nobody is to blame there.
    void disturbed(host_id host) { disturbed_.insert(combine(host, 0)); }

    // What came of it

    /// What is under way, as far as clients can see: 0 if there is nothing to wait for.
    std::uint64_t owed();
    /// Packets from the broker so far.
    std::uint64_t packets() const { return packets_; }
    std::uint64_t violation_count() const;
    /// All is silent: whatever is owed now will never come.
    void end(instant now);

    using name_function = std::function<std::string(host_id)>;
    void add_to(ledger_report& out, const std::string& broker, std::uint64_t devices_not_seen,
                const name_function& name_of) const;

private:
    static constexpr std::uint32_t none = 0xFFFF'FFFF;

    struct finding {
        invariant broken;
        instant at;
        std::uint64_t number;
        host_id receiver;
        std::string topic;
        std::string what;
    };
    struct record_down {
        std::uint64_t number = 0;
        std::uint32_t epoch = 0;  ///< of the session, when last sent
        enum qos qos = qos::at_least_once;
        bool answered = false;  ///< PUBACK or PUBREC went in
        bool released = false;
    };
    struct record_up {
        std::uint64_t number = 0;
        std::uint32_t epoch = 0;
        bool broker_owes = true;  ///< the next word, PUBACK, PUBREC or PUBCOMP
    };
    struct subscription {
        std::string whole;  ///< as asked for
        std::string plain;  ///< without a share name
        subscription_options options;
        std::uint32_t identifier = 0;
        bool shared = false;
        bool granted = false;
        bool changed = false;  ///< asked for again: what comes may be by its earlier form
        bool former = false;
    };
    /// What a SUBSCRIBE leads to on a topic whose retained message is known for sure.
    struct retained_claim {
        std::uint64_t topic = 0;   ///< hash
        std::uint64_t number = 0;  ///< of the message last retained, or of the empty one
        bool must_come = false;    ///< or a later one
        bool must_not = false;     ///< this, or an earlier one
    };
    struct will_note {
        std::uint64_t number = 0;
        std::string topic;
        enum qos qos = qos::at_most_once;
        bool retain = false;
        std::uint32_t delay = 0;  ///< seconds
    };
    enum class life : std::uint8_t { unseen, lives, maybe, gone };

    struct session {
        host_id host = 0;
        std::uint32_t link = none;
        std::uint32_t epoch = 0;  ///< connections accepted
        life now = life::unseen;
        bool of_earlier_run = false;  ///< it may have subscriptions that nobody here made
        bool sees_tags = true;
        bool overflown = false;        ///< the broker may drop what is for it
        std::uint32_t expiry = 0;      ///< seconds; all ones: for ever
        std::uint32_t packet_max = 0;  ///< bytes; 0: no limit
        instant expires_at = never;
        instant gone_at{};
        std::uint64_t will = 0;  ///< that waits for its delay; 0: none
        std::vector<subscription> subscriptions;
        std::vector<retained_claim> claims;
        std::uint32_t first_subscription = ledger_subscriptions::none;
        ledger_table<std::uint64_t> due;  // by message: its number
        ledger_table<record_down> down;   // by packet id
        ledger_table<record_up> up;       // by packet id
    };
    struct asked {
        std::string filter;
        retain_handling handling = retain_handling::send;
        std::vector<retained_claim> claims;
    };
    struct link {
        host_id host = 0;
        std::uint32_t session = none;
        bool open = false;
        bool accepted = false;
        bool unreadable = false;
        bool clean_start = false;
        bool session_was_open = false;  ///< another link had it when this one asked
        bool farewell = false;          ///< the client said DISCONNECT with code 0
        protocol_version version = protocol_version::v5;
        std::uint16_t keep_alive = 0;
        std::uint32_t expiry = 0;
        instant asked_at{};
        instant connected_at{};
        instant spoke_at{};  ///< the client, last
        /// And when it last did so after a silence for which it might have been cut off: the
        /// broker's word of that may still be on its way.
        std::optional<instant> broke_silence{};
        std::optional<will_note> will;
        frame_reader up;
        frame_reader down;
        std::map<std::uint16_t, std::string> aliases_up;
        std::map<std::uint16_t, std::string> aliases_down;
        std::map<std::uint16_t, std::vector<asked>> pending;  // SUBSCRIBEs not answered
    };
    struct publication {
        std::uint64_t number = 0;
        std::string topic;
        instant expires_at = never;
        std::uint32_t outstanding = 0;
        bool retain = false;
        bool complete = false;
        bool void_ = false;  ///< refused, or never to be answered
        bool is_will = false;
    };
    struct retained_topic {
        std::string topic;
        std::uint64_t newest = 0;  ///< sent
        bool newest_is_empty = false;
        bool is_certain = true;     ///< one flow alone writes it, and all that it says is answered
        std::uint32_t pending = 0;  ///< sent and not answered
    };
    /// What a message from the broker is judged by.
    struct reception {
        const publish& message;
        std::string_view topic;
        std::uint64_t number;
        instant made;
        bool was_due;
        const publication* about;  ///< if it was due
    };
    struct match {
        std::size_t matching = 0;
        bool is_certain = true;
        bool shared = false;
        const subscription* one = nullptr;  ///< if it is the only one
    };

    // Packets
    void take_up(std::uint32_t number, link& by, const frame& in, instant now);
    void take_down(std::uint32_t number, link& by, const frame& in, instant now);
    void publish_up(link& by, const publish& message, std::string_view topic, std::size_t size,
                    instant now);
    void expect(const publication& of, enum qos qos, std::uint32_t publisher, std::size_t size,
                instant now);
    void answered_up(link& by, std::uint16_t packet_id, reason_code code, bool is_last);
    void complete_publication(std::uint64_t key, bool failed);

    // Sessions
    void connect_up(link& by, const connect& request, instant now);
    void connack_down(std::uint32_t number, link& by, const connack& answer, instant now);
    void disconnect_down(link& by, const disconnect& farewell, instant now);
    void subscribe_up(link& by, const subscribe& request);
    void suback_down(link& by, const suback& answer);
    void unsubscribe_up(link& by, const unsubscribe& request);
    void judge_session_present(const link& by, session& of, bool present, instant now);
    void judge_silence(link& by, instant now);
    void session_lost(session& of, instant now);
    void forget(session& of);
    void excuse(session& of, bool beyond_queue);
    void excuse_matching(session& of, std::string_view filter);
    void settle(std::uint64_t key);
    bool surely_lives(const session& of, instant now) const;

    // Receptions
    void publish_down(link& by, const publish& message, std::string_view topic, instant now);
    void judge_stranger(const link& by, const publish& message, std::string_view topic,
                        instant now);
    bool is_resend(link& by, session& to, const publish& message, std::uint64_t number,
                   std::string_view topic, instant now);
    match match_of(const session& to, std::string_view topic, bool& shielded) const;
    match judge_permission(const link& by, const session& to, const reception& what, instant now);
    void judge_form(const link& by, const session& to, const reception& what, const match& matched,
                    instant now);
    void judge_expiry(const session& to, const reception& what, instant now);
    void judge_shared(link& by, const session& to, const reception& what,
                      const subscription& through, instant now);
    void judge_flow(const link& by, const reception& what, const match& matched, instant now);

    // Retained messages
    void retain_up(const publish& message, std::string_view topic, std::uint64_t number);
    void retained_answered(const publication& about, bool failed);
    void doubt_retained(std::string_view topic);
    std::vector<retained_claim> claims_of(const session& of, std::string_view filter,
                                          retain_handling handling);
    void add_claims(session& of, const asked& made);
    void judge_claims(session& to, const reception& what, instant now);

    // Wills
    void will_left(std::uint32_t whose, const will_note& left, std::uint32_t expiry, instant now);
    void will_outlived(session& of, const link& by, bool present, instant now);
    void doubt_will(session& of);
    void pass_wills(instant now);
    void judge_will(const session& to, const reception& what, instant now);

    void convict(invariant broken, instant at, std::uint64_t number, host_id receiver,
                 std::string_view topic, std::string what);
    void convict_lost(const session& of, const std::vector<std::uint64_t>& lost,
                      const std::string& what, instant now);
    std::vector<std::uint64_t> surely_due(session& of, instant now);
    void judge_end_of(session& of, instant now);

    /// How long the world takes while so much passes at the broker.
    duration span(duration at_broker) const;
    instant after_seconds(instant from, std::uint32_t seconds) const;

    static std::uint64_t key_of(std::uint64_t number) {
        return combine(message_number::with_qos(number, qos::at_most_once), 1);
    }
    static std::uint64_t packet_key(std::uint16_t packet_id) { return combine(packet_id, 2); }
    static std::uint64_t flow_of(std::uint64_t number) {
        return number >> message_number::count_bits;
    }
    /// Above 0 if the first is the later one of a flow; counts wrap.
    static std::int32_t ahead(std::uint64_t number, std::uint64_t of) {
        return static_cast<std::int32_t>(
            (message_number::count_of(number) - message_number::count_of(of))
            << (32 - message_number::count_bits));
    }

    const audit_options options_;
    std::vector<std::unique_ptr<link>> links_;
    std::vector<std::unique_ptr<session>> sessions_;
    ledger_table<std::uint32_t> by_client_;
    ledger_subscriptions subscriptions_;  // all that are granted
    ledger_table<publication> publications_;
    ledger_table<std::uint64_t> flows_;                // number of the last first copy
    recent_table<bool> sent_again_{recent_kept};       // messages that publishers sent again
    recent_table<std::uint64_t> shared_{recent_kept};  // by group and message: whose link had it
    recent_table<bool> disowned_wills_{recent_kept};   // true: its client came back in time
    ledger_table<instant> wills_due_;                  // by message
    std::map<std::pair<instant, std::uint64_t>, bool> will_deadlines_;  // and message
    std::vector<retained_topic> retained_;
    ledger_table<std::uint32_t> retained_by_topic_;
    ledger_table<bool> disturbed_;
    bool complete_ = false;

    std::vector<finding> findings_;
    std::array<std::uint64_t, invariant_count> by_invariant_{};
    std::uint64_t packets_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t receptions_ = 0;
    std::uint64_t strangers_ = 0;
    std::uint64_t beyond_queue_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t waiting_ = 0;
    std::uint64_t flows_not_kept_ = 0;
    std::uint64_t retained_not_judged_ = 0;
    std::vector<std::uint32_t> receivers_;  // scratch
};

}  // namespace fleetarium::sim::detail
