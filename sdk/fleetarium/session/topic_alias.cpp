#include <fleetarium/session/topic_alias.hpp>

#include <fleetarium/core/hash.hpp>

namespace fleetarium {

namespace {

std::size_t heap_bytes(const std::string& topic) {
    return topic.capacity() > std::string().capacity() ? topic.capacity() + 1 : 0;
}

/// Keeps count of the bytes that the texts hold.
void replace(std::string& topic, std::string_view by, std::size_t& text_bytes) {
    text_bytes -= heap_bytes(topic);
    topic.assign(by);
    text_bytes += heap_bytes(topic);
}

}  // namespace

void inbound_topic_aliases::set(std::uint16_t alias, std::string_view topic) {
    if (topics_.size() < alias) {
        topics_.resize(alias);
    }
    replace(topics_[alias - 1u], topic, text_bytes_);
}

std::string_view inbound_topic_aliases::find(std::uint16_t alias) const {
    return alias <= topics_.size() ? std::string_view(topics_[alias - 1u]) : std::string_view();
}

outbound_topic_aliases::choice outbound_topic_aliases::choose(std::string_view topic,
                                                              std::uint16_t maximum) {
    const auto place = static_cast<std::size_t>(hash_bytes(as_bytes_view(topic)) % maximum);
    if (topics_.size() <= place) {
        topics_.resize(place + 1);
    }
    const bool known = topics_[place] == topic;
    if (!known) {
        replace(topics_[place], topic, text_bytes_);
    }
    return {static_cast<std::uint16_t>(place + 1), known};
}

void outbound_topic_aliases::revoke(std::uint16_t alias) { topics_[alias - 1u].clear(); }

std::size_t inbound_topic_aliases::memory_bytes() const {
    return topics_.capacity() * sizeof(std::string) + text_bytes_;
}

std::size_t outbound_topic_aliases::memory_bytes() const {
    return topics_.capacity() * sizeof(std::string) + text_bytes_;
}

}  // namespace fleetarium
