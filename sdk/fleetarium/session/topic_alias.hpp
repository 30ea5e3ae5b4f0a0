#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium {

/// Topic aliases set by the peer on one connection [v5/MQTT-3.3.2-7]. Memory grows with the highest
/// alias set, which the caller bounds by the Topic Alias Maximum that it announced.
/// Thread rule: one thread at a time.
class inbound_topic_aliases {
public:
    /// Sets or replaces what `alias` stands for; `alias` is 1 or more.
    void set(std::uint16_t alias, std::string_view topic);
    /// The topic, or an empty view if the alias was never set.
    std::string_view find(std::uint16_t alias) const;

    /// Bytes of heap memory held. Constant time.
    std::size_t memory_bytes() const;

private:
    std::vector<std::string> topics_;  // [alias - 1]
    std::size_t text_bytes_ = 0;       // that they hold on the heap
};

/// Topic aliases that this side sets on one connection, up to the peer's Topic Alias Maximum.
/// Each topic has one place, by its hash: look-up and replacement take constant time, and topics in
/// use displace those that are not.
/// Thread rule: one thread at a time.
class outbound_topic_aliases {
public:
    struct choice {
        std::uint16_t alias;
        bool known;  ///< the peer knows what it stands for: the topic may be left out
    };

    /// The alias to send with `topic`, which the peer knows from then on. `maximum` is that of the
    /// peer, 1 or more, the same at each call of a connection.
    choice choose(std::string_view topic, std::uint16_t maximum);

    /// The packet of the last choice was not sent after all: forgets it.
    void revoke(std::uint16_t alias);

    /// As inbound_topic_aliases::memory_bytes.
    std::size_t memory_bytes() const;

private:
    std::vector<std::string> topics_;  // [alias - 1]
    std::size_t text_bytes_ = 0;       // that they hold on the heap
};

/// Both directions of one connection.
struct topic_aliases {
    inbound_topic_aliases inbound;
    outbound_topic_aliases outbound;

    std::size_t memory_bytes() const {
        return sizeof(topic_aliases) + inbound.memory_bytes() + outbound.memory_bytes();
    }
};

}  // namespace fleetarium
