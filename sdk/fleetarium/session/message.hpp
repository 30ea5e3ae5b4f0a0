#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/shared_bytes.hpp>

#include <cstdint>
#include <string_view>
#include <utility>

namespace fleetarium {

class message;

/// A counted pointer to an immutable message; eight bytes, null by default.
/// Thread rule: all copies of one pointer belong to one thread at a time.
class message_ptr {
public:
    message_ptr() = default;
    message_ptr(const message_ptr& other) noexcept : message_(other.message_) { retain(); }
    message_ptr(message_ptr&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
    message_ptr& operator=(message_ptr other) noexcept {
        std::swap(message_, other.message_);
        return *this;
    }
    ~message_ptr() { release(); }

    explicit operator bool() const noexcept { return message_ != nullptr; }
    const message& operator*() const noexcept { return *message_; }
    const message* operator->() const noexcept { return message_; }
    bool operator==(const message_ptr&) const = default;

private:
    friend class message;
    explicit message_ptr(const message* made) noexcept : message_(made) {}
    inline void retain() noexcept;
    inline void release() noexcept;

    const message* message_ = nullptr;
};

/// Which message it is, for those who follow messages through a system. Not sent to any peer.
struct message_identity {
    std::uint64_t number = 0;  ///< chosen by whoever makes the message
    instant published_at{};    ///< when its publisher made it
};

/// What goes with a message besides what the PUBLISH says.
struct message_origin {
    message_identity identity;
    /// Hash of the publisher's client id, for No Local; 0 is none.
    std::uint64_t publisher = 0;
    /// When the message expires at the server; `never` without a Message Expiry Interval.
    instant expires_at = never;
};

/// Bytes of all messages made for one owner that are still held by somebody. Outlives them.
struct memory_account {
    std::size_t bytes = 0;
};

/// An application message as sessions hold it: topic, the properties a server forwards unchanged
/// in their encoded form, and payload, in one block from the pool. Payloads from
/// limits::shared_payload_size_min on are held in a block of their own, which copies share.
class message {
public:
    /// Copies what `in` views. The Message Expiry Interval itself is not kept: see
    /// message_origin::expires_at. Its memory is on `account`, if there is one, for as long as it
    /// lives, and so are copies that `with_subscription_identifiers` makes. Throws std::bad_alloc.
    static message_ptr make(const publish& in, const message_origin& origin,
                            memory_account* account = nullptr);

    /// What a message is made of, properties as `properties()` gives them.
    struct parts {
        std::string_view topic{};
        bytes_view properties{};
        bytes_view payload{};
        enum qos qos = qos::at_most_once;
        bool retain = false;
    };

    /// A message as storage kept it. Copies what `in` views. Throws std::bad_alloc.
    static message_ptr restore(const parts& in, const message_origin& origin,
                               memory_account* account = nullptr);

    /// The same message with subscription identifiers added to its properties; a shared payload
    /// stays shared. For the rare delivery that carries several.
    message_ptr with_subscription_identifiers(std::span<const std::uint32_t> identifiers) const;

    std::string_view topic() const noexcept {
        return {reinterpret_cast<const char*>(data()), topic_size_};
    }
    bytes_view properties() const noexcept { return {data() + topic_size_, properties_size_}; }
    bytes_view payload() const noexcept {
        return shared_payload_.empty()
                   ? bytes_view{data() + topic_size_ + properties_size_, payload_size_}
                   : shared_payload_.view();
    }
    /// Null if the payload lies in the message's own block.
    const shared_bytes* shared_payload() const noexcept {
        return shared_payload_.empty() ? nullptr : &shared_payload_;
    }

    enum qos qos() const noexcept { return qos_; }
    bool retain() const noexcept { return retain_; }
    const message_identity& identity() const noexcept { return identity_; }
    std::uint64_t publisher() const noexcept { return publisher_; }
    instant expires_at() const noexcept { return expires_at_; }

    bool expired(instant now) const noexcept { return now >= expires_at_; }

    /// The Message Expiry Interval less the whole seconds waited [v5/MQTT-3.3.2-6]; none without
    /// one.
    std::optional<std::uint32_t> remaining_expiry(instant now) const noexcept;

    /// Bytes of memory the message takes, its payload included.
    std::size_t memory_bytes() const noexcept;

    /// The message as a PUBLISH struct, with the time left at `now`. Views are valid while the
    /// message lives.
    publish to_publish(instant now) const;

private:
    friend class message_ptr;

    message() = default;
    static message* allocate(std::size_t topic, std::size_t properties, std::size_t payload);
    static message* allocate(const parts& in, std::size_t properties, const message_origin& origin);
    static void destroy(const message* dead) noexcept;
    void charge(memory_account* account) noexcept;

    std::uint8_t* data() noexcept { return reinterpret_cast<std::uint8_t*>(this + 1); }
    const std::uint8_t* data() const noexcept {
        return reinterpret_cast<const std::uint8_t*>(this + 1);
    }
    std::size_t block_size() const noexcept {
        return sizeof(message) + topic_size_ + properties_size_ + payload_size_;
    }

    mutable std::uint32_t references_ = 1;
    std::uint32_t properties_size_ = 0;
    std::uint32_t payload_size_ = 0;  // in this block
    std::uint16_t topic_size_ = 0;
    enum qos qos_ = qos::at_most_once;
    bool retain_ = false;
    instant expires_at_ = never;
    message_identity identity_;
    std::uint64_t publisher_ = 0;
    shared_bytes shared_payload_;
    memory_account* account_ = nullptr;  // null: nobody counts
};

inline void message_ptr::retain() noexcept {
    if (message_ != nullptr) {
        ++message_->references_;
    }
}

inline void message_ptr::release() noexcept {
    if (message_ != nullptr && --message_->references_ == 0) {
        message::destroy(message_);
    }
    message_ = nullptr;
}

}  // namespace fleetarium
