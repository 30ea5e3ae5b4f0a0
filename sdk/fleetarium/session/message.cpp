#include <fleetarium/session/message.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/block_pool.hpp>
#include <fleetarium/core/limits.hpp>

#include <cstring>
#include <new>

namespace fleetarium {

namespace {

void copy_bytes(std::uint8_t* to, bytes_view from) {
    if (!from.empty()) {
        std::memcpy(to, from.data(), from.size());
    }
}

std::uint8_t* write_variable_byte_integer(std::uint8_t* at, std::uint32_t value) {
    while (value > 127) {
        *at++ = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    *at++ = static_cast<std::uint8_t>(value);
    return at;
}

std::size_t variable_byte_integer_size(std::uint32_t value) {
    return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

constexpr std::uint8_t subscription_identifier_id = 0x0B;

}  // namespace

message* message::allocate(std::size_t topic, std::size_t properties, std::size_t payload) {
    void* const block = block_pool::allocate(sizeof(message) + topic + properties + payload);
    auto* const made = ::new (block) message;
    made->topic_size_ = static_cast<std::uint16_t>(topic);
    made->properties_size_ = static_cast<std::uint32_t>(properties);
    made->payload_size_ = static_cast<std::uint32_t>(payload);
    return made;
}

void message::destroy(const message* dead) noexcept {
    const std::size_t size = dead->block_size();
    if (dead->account_ != nullptr) {
        dead->account_->bytes -= dead->memory_bytes();
    }
    auto* const block = const_cast<message*>(dead);
    block->~message();
    block_pool::deallocate(block, size);
}

void message::charge(memory_account* account) noexcept {
    account_ = account;
    if (account != nullptr) {
        account->bytes += memory_bytes();
    }
}

message* message::allocate(const parts& in, std::size_t properties, const message_origin& origin) {
    const bool shared = in.payload.size() >= limits::shared_payload_size_min;
    message* const made = allocate(in.topic.size(), properties, shared ? 0 : in.payload.size());
    made->qos_ = in.qos;
    made->retain_ = in.retain;
    made->expires_at_ = origin.expires_at;
    made->identity_ = origin.identity;
    made->publisher_ = origin.publisher;
    copy_bytes(made->data(), as_bytes_view(in.topic));
    if (shared) {
        made->shared_payload_ = shared_bytes(in.payload);
    } else {
        copy_bytes(made->data() + in.topic.size() + properties, in.payload);
    }
    return made;
}

message_ptr message::make(const publish& in, const message_origin& origin,
                          memory_account* account) {
    const std::size_t properties = forwardable_properties_size(in);
    message* const made =
        allocate({in.topic, {}, in.payload, in.qos, in.retain}, properties, origin);
    if (properties != 0) {
        write_forwardable_properties(in, made->data() + in.topic.size());
    }
    made->charge(account);
    return message_ptr(made);
}

message_ptr message::restore(const parts& in, const message_origin& origin,
                             memory_account* account) {
    message* const made = allocate(in, in.properties.size(), origin);
    copy_bytes(made->data() + in.topic.size(), in.properties);
    made->charge(account);
    return message_ptr(made);
}

message_ptr message::with_subscription_identifiers(
    std::span<const std::uint32_t> identifiers) const {
    std::size_t added = 0;
    for (const std::uint32_t identifier : identifiers) {
        added += 1 + variable_byte_integer_size(identifier);
    }
    message* const made = allocate(topic_size_, properties_size_ + added, payload_size_);
    made->qos_ = qos_;
    made->retain_ = retain_;
    made->expires_at_ = expires_at_;
    made->identity_ = identity_;
    made->publisher_ = publisher_;
    made->shared_payload_ = shared_payload_;

    copy_bytes(made->data(), {data(), std::size_t{topic_size_} + properties_size_});
    std::uint8_t* at = made->data() + topic_size_ + properties_size_;
    for (const std::uint32_t identifier : identifiers) {
        *at++ = subscription_identifier_id;
        at = write_variable_byte_integer(at, identifier);
    }
    copy_bytes(at, {data() + topic_size_ + properties_size_, payload_size_});
    made->charge(account_);
    return message_ptr(made);
}

std::optional<std::uint32_t> message::remaining_expiry(instant now) const noexcept {
    if (expires_at_ == never) {
        return std::nullopt;
    }
    const auto left = std::chrono::ceil<std::chrono::seconds>(expires_at_ - now).count();
    return left <= 0 ? 0 : static_cast<std::uint32_t>(left);
}

std::size_t message::memory_bytes() const noexcept {
    return block_size() + shared_payload_.view().size();
}

publish message::to_publish(instant now) const {
    publish out;
    out.topic = topic();
    out.payload = payload();
    out.qos = qos_;
    out.retain = retain_;
    if (properties_size_ != 0) {
        read_forwardable_properties(properties(), out);
    }
    out.message_expiry_interval = remaining_expiry(now);
    return out;
}

}  // namespace fleetarium
