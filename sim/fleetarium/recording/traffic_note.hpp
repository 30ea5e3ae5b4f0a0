#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace fleetarium::recording {

/// Something that is to be recorded, as it goes from the thread on which it happens to the one that
/// writes: a fixed part, and text or bytes behind it.
struct traffic_note {
    enum class kind : std::uint8_t {
        broker,  ///< text: name
        client,  ///< text: client id (topic_size of it), then name
        // Decisions of a broker
        connected,     ///< flag: session present; extra: protocol version, 0: not known
        refused,       ///< code, why: the violation; extra as above
        disconnected,  ///< code, why: the violation; flag: lost
        session_ended,
        subscribed,    ///< text: filter; code
        unsubscribed,  ///< text: filter; code
        repeated,      ///< a QoS 2 message came once more; without a number: extra: packet id
        message,       ///< text: topic (topic_size), properties (properties_size), payload;
                       ///< session: packet id, if `repeated` has only that
        routed,        ///< extra: deliveries
        retained,
        retained_removed,  ///< text: topic
        will_published,
        queued,
        sent,          ///< flag: a resend
        acknowledged,  ///< code
        dropped,       ///< why: drop_reason; text: topic, where the message was refused
        // What clients tell
        received,  ///< flag: not for the first time
        complete,  ///< a publisher learns that its message is complete
        lost,
        // Of the run
        fault,       ///< extra: which; flag: ends
        checkpoint,  ///< number: trace hash; extra: events
        violation,   ///< text: invariant (topic_size), then a sentence
        annotation,  ///< text
        intervention,  ///< text: its kind (topic_size), then JSON
        // Of a subscriber
        heard,      ///< a message, as `message`, without number and publisher
        gap,        ///< begins; text: reason
        gap_ended,  ///< flag: session present
    };
    static constexpr std::uint32_t nobody = 0xFFFF'FFFF;
    /// Of `extra` of a message: nobody told when it was published.
    static constexpr std::int64_t not_known = INT64_MIN;

    std::int64_t at = 0;       ///< nanoseconds
    std::uint64_t number = 0;  ///< of the message, the same whatever the QoS
    std::int64_t extra = 0;    ///< of messages: when published
    std::uint32_t client = nobody;
    std::uint32_t session = nobody;
    std::uint32_t size = 0;  ///< of the text, in bytes
    std::uint16_t topic_size = 0;
    std::uint16_t broker = 0;
    std::uint32_t properties_size = 0;
    kind what = kind::message;
    std::uint8_t qos = 0;
    std::uint8_t code = 0;
    std::uint8_t why = 0;
    bool flag : 1 = false;   ///< of messages: RETAIN
    bool known : 1 = false;  ///< of sent and dropped: a note told of this delivery before; of
                             ///< messages, once they are in the journal: a will
    bool copy : 1 = false;   ///< of messages: the broker had it before
    bool tells : 1 = false;  ///< of clients: it tells what it receives
};

static_assert(sizeof(traffic_note) == 56);

/// Notes in a row, in one block of memory.
class note_block {
public:
    explicit note_block(std::size_t capacity)
        : bytes_(std::make_unique_for_overwrite<std::byte[]>(capacity)), capacity_(capacity) {}

    bool has_room(std::size_t text_size) const {
        return capacity_ - size_ >= sizeof(traffic_note) + rounded(text_size);
    }
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    void clear() { size_ = 0; }

    /// Makes room for the note's text behind it; returns where the text goes.
    char* add(const traffic_note& note) {
        std::memcpy(bytes_.get() + size_, &note, sizeof note);
        auto* const text = reinterpret_cast<char*>(bytes_.get() + size_ + sizeof note);
        size_ += sizeof note + rounded(note.size);
        return text;
    }

    /// Calls `visit(const traffic_note&, std::string_view text)` for each.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (std::size_t at = 0; at < size_;) {
            traffic_note note;
            std::memcpy(&note, bytes_.get() + at, sizeof note);
            const auto* const text = reinterpret_cast<const char*>(bytes_.get() + at + sizeof note);
            visit(note, std::string_view(text, note.size));
            at += sizeof note + rounded(note.size);
        }
    }

private:
    static constexpr std::size_t rounded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

    std::unique_ptr<std::byte[]> bytes_;
    std::size_t capacity_;
    std::size_t size_ = 0;
};

}  // namespace fleetarium::recording
