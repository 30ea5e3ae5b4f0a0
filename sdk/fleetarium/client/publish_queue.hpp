#pragma once

#include <fleetarium/client/client_config.hpp>
#include <fleetarium/session/message.hpp>

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

namespace fleetarium::detail {

/// Whoever wants to know what became of a message.
class publish_observer {
public:
    virtual ~publish_observer() = default;
    /// The message is on its way and cannot be taken back.
    virtual void publish_sent() {}
    /// Told once.
    virtual void published(boost::system::error_code why, reason_code code) = 0;
};

/// A message that waits to be handed to the session.
struct queued_publish {
    message_ptr message{};
    std::shared_ptr<publish_observer> observer{};  ///< null: nobody asks
};

/// Messages waiting in their order, within bounds.
class publish_queue {
public:
    explicit publish_queue(const publish_queue_options& options) : options_(&options) {}

    bool empty() const { return waiting_.empty(); }
    std::size_t size() const { return waiting_.size(); }
    std::size_t bytes() const { return bytes_; }
    /// Those of QoS 0, behind which another has to wait.
    std::size_t at_most_once() const { return at_most_once_; }

    const queued_publish& front() const { return waiting_.front(); }
    queued_publish pop();

    /// Whether a message of `bytes` fits in.
    bool has_room(std::size_t bytes) const;
    /// Whether it could if the queue were empty.
    bool could_hold(std::size_t bytes) const {
        return bytes <= options_->bytes() && options_->messages() > 0;
    }
    void push(queued_publish added);
    /// Before all others, beyond the bounds: for what was in flight and has to be sent anew.
    void push_front(queued_publish added);
    /// The one with this observer is not wanted any more. Linear.
    void remove(const publish_observer* whose);

private:
    void note(const queued_publish& one, bool added);

    const publish_queue_options* options_;
    std::deque<queued_publish> waiting_;
    std::size_t bytes_ = 0;
    std::size_t at_most_once_ = 0;
};

}  // namespace fleetarium::detail
