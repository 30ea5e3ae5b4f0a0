#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fleetarium::sim::detail {

/// Who a message is, written into the message itself: for brokers outside of the world, on whose
/// links nothing travels beside the bytes.
struct message_tag {
    std::uint32_t run = 0;     ///< which run made it: a broker may keep messages of earlier ones
    std::uint64_t number = 0;  ///< see message_number
    instant made{};            ///< to the microsecond

    bool operator==(const message_tag&) const = default;
};

/// The name of the user property, and of the member of a payload that is a JSON object.
inline constexpr std::string_view tag_name = "fleetarium";

/// "RUN-NUMBER-INSTANT" in hexadecimal digits, always as long.
inline constexpr std::size_t tag_size = 8 + 1 + 16 + 1 + 12;
using tag_text = std::array<char, tag_size>;

tag_text to_text(const message_tag& tag);

/// None for what is no tag.
std::optional<message_tag> read_tag(std::string_view text);

/// The payload with a tag in it: as the last member of what looks like a JSON object, which so
/// remains one; otherwise behind a `#`, at the end.
void add_tag(bytes_view payload, std::string_view tag, std::string& out);

/// A tag, for as long as the message that carries it is being sent.
class carried_tag {
public:
    explicit carried_tag(const message_tag& tag)
        : text_(to_text(tag)), property_{user_property{tag_name, text()}} {}
    carried_tag(const carried_tag&) = delete;
    carried_tag& operator=(const carried_tag&) = delete;

    std::string_view text() const { return {text_.data(), text_.size()}; }

    /// Into a PUBLISH or a will: a user property, or part of the payload, which `made` then holds.
    /// An empty payload means something of its own, and stays empty.
    template <class Message>
    void put_into(Message& message, bool in_payload, std::string& made) const {
        if (!in_payload) {
            message.user_properties = user_properties(property_);
        } else if (!message.payload.empty()) {
            add_tag(message.payload, text(), made);
            message.payload = as_bytes_view(made);
        }
    }

private:
    tag_text text_;
    std::array<user_property, 1> property_;
};

/// A payload's tag and where it is.
struct tagged_payload {
    std::string_view tag{};   ///< empty: there is none
    std::size_t kept = 0;     ///< so many bytes of the payload come before it
    std::string_view rest{};  ///< and these behind
};
tagged_payload find_tag(bytes_view payload);

/// The tag of a message in either of the two places; empty if it has none.
std::string_view find_tag(const publish& message);
std::string_view find_tag(const user_properties& properties);

}  // namespace fleetarium::sim::detail
