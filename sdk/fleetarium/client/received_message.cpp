#include <fleetarium/client/received_message.hpp>

#include <fleetarium/codec/codec.hpp>

namespace fleetarium {

received_message::received_message(const publish& in, instant received_at)
    : held_(message::make(in, {{0, received_at}, 0, never})),
      received_at_(received_at),
      expiry_interval_(in.message_expiry_interval),
      dup_(in.dup) {
    in.subscription_identifiers.for_each([&](std::uint32_t one) { identifiers_.push_back(one); });
}

received_message::received_message(const received_message& other)
    : received_at_(other.received_at_),
      lost_before_(other.lost_before_),
      identifiers_(other.identifiers_),
      expiry_interval_(other.expiry_interval_),
      dup_(other.dup_) {
    if (other.held_) {
        held_ = message::make(other.held_->to_publish(received_at_), {{0, received_at_}, 0, never});
    }
}

received_message& received_message::operator=(const received_message& other) {
    received_message copied(other);
    return *this = std::move(copied);
}

publish received_message::properties() const {
    publish found;
    if (held_ && !held_->properties().empty()) {
        read_forwardable_properties(held_->properties(), found);
    }
    return found;
}

user_property_list received_message::user_properties() const {
    user_property_list found;
    properties().user_properties.for_each(
        [&](const fleetarium::user_property& one) { found.emplace_back(one.first, one.second); });
    return found;
}

std::optional<std::string_view> received_message::user_property(std::string_view name) const {
    std::optional<std::string_view> found;
    properties().user_properties.for_each([&](const fleetarium::user_property& one) {
        if (!found && one.first == name) {
            found = one.second;
        }
    });
    return found;
}

std::size_t received_message::memory_bytes() const {
    return sizeof(*this) + identifiers_.capacity() * sizeof(std::uint32_t) +
           (held_ ? held_->memory_bytes() : 0);
}

}  // namespace fleetarium
