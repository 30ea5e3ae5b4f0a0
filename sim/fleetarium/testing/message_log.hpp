#pragma once

#include <fleetarium/testing/probed_message.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::testing::detail {

/// What a probe waits for.
struct message_wish {
    std::string filter{};
    message_predicate wanted{};  ///< empty: every message
    std::size_t count = 1;
    duration within{};
};

/// What has arrived at a probe, first to last, and which of it a wait has returned.
/// Thread rule: any thread; waits are made by one at a time.
class message_log {
public:
    /// Above `messages_max` the oldest are forgotten; that many are still told of.
    explicit message_log(std::size_t messages_max) : messages_max_(messages_max) {}

    void add(probed_message arrived);

    /// Something other than a message has changed: waits look again.
    void wake();

    /// How many messages have arrived and how often `wake` was called, together.
    std::uint64_t changes() const;

    /// Blocks until changes() is no longer `seen`, or for that long in real time, or less.
    void wait_while(std::uint64_t seen, duration at_most) const;

    /// The search for what a wish wants. A message is asked about once.
    class search {
    public:
        search(message_log& log, const message_wish& wish) : log_(log), wish_(wish) {}

        /// Looks at what has arrived since the last call; whether there is enough.
        bool proceed();

        /// The messages found, which no later search finds again.
        std::vector<probed_message> take();

        std::size_t found() const { return found_.size(); }

    private:
        message_log& log_;
        const message_wish& wish_;
        std::uint64_t next_ = 0;
        std::vector<std::uint64_t> found_;
    };

    std::vector<probed_message> messages() const;
    void clear();

    /// "3 messages arrived, 2 of them matched the filter:" and a line for each of the last of
    /// those, or, if none matched, for each of the last messages.
    std::string describe_for(std::string_view filter) const;

private:
    struct entry {
        std::shared_ptr<const probed_message> message;
        bool returned = false;
    };

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    const std::size_t messages_max_;
    std::deque<entry> entries_;
    std::uint64_t first_number_ = 0;  // of entries_.front()
    std::uint64_t changes_ = 0;
};

/// `doors/1/state qos 1 "open"`, with the payload cut where it is long, in hexadecimal where it is
/// no text.
std::string describe(const probed_message& message);

/// "2 s", "150 ms", "1 h 30 min".
std::string describe(duration span);

}  // namespace fleetarium::testing::detail
