#include <fleetarium/client/subscription_stream.hpp>

#include <fleetarium/client/reason_error.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::detail {

subscription_stream::subscription_stream(std::weak_ptr<client_core> owner,
                                         boost::asio::any_io_executor executor,
                                         std::vector<std::string> filters,
                                         subscribe_options options)
    : owner_(std::move(owner)),
      executor_(std::move(executor)),
      filters_(std::move(filters)),
      options_(std::move(options)),
      answers_(filters_.size()),
      unanswered_(filters_.size()) {}

// Messages

bool subscription_stream::deliver(received_message message) {
    if (sink_) {
        sink_(std::move(message));
        return true;
    }
    while (!receivers_.empty()) {
        const auto receiver = std::move(receivers_.front());
        receivers_.pop_front();
        if (!receiver->done()) {
            message.set_lost_before(std::exchange(lost_, 0));
            receiver->complete({}, std::move(message));
            return true;
        }
    }
    const bool drops = options_.overflow() == overflow::drop_oldest &&
                       buffer_.size() >= options_.buffer_messages();
    if (drops) {
        buffer_.pop_front();
        ++dropped_;
        ++lost_;
    }
    buffer_.push_back(std::move(message));
    // Not before the answer is there, for which somebody waits, and which comes behind messages.
    // Once full it is so until `take` says otherwise.
    full_ = full_ || (options_.overflow() == overflow::pause_reading && answered() &&
                      buffer_.size() >= options_.buffer_messages());
    return !drops;
}

received_message subscription_stream::take() {
    received_message taken = std::move(buffer_.front());
    buffer_.pop_front();
    taken.set_lost_before(std::exchange(lost_, 0));
    // Half of it, so that reading is not switched on and off for each message.
    if (full_ && buffer_.size() <= options_.buffer_messages() / 2) {
        full_ = false;
        if (on_room_) {
            on_room_();
        }
    }
    return taken;
}

void subscription_stream::receive(operation_ptr<received_message> waiting) {
    if (!buffer_.empty()) {
        waiting->complete({}, take());
    } else if (ended_) {
        waiting->fail(ended_);
    } else {
        std::erase_if(receivers_, [](const auto& one) { return one->done(); });
        receivers_.push_back(std::move(waiting));
    }
}

std::optional<received_message> subscription_stream::try_receive() {
    if (buffer_.empty()) {
        return std::nullopt;
    }
    return take();
}

void subscription_stream::end(boost::system::error_code why) {
    if (!ended_) {
        ended_ = why;
        fail_receivers(why);
        fail_waiters(why);
    }
}

void subscription_stream::fail_receivers(boost::system::error_code why) {
    for (const auto& receiver : std::exchange(receivers_, {})) {
        receiver->fail(why);
    }
}

// Answers

void subscription_stream::answer(std::size_t filter, boost::system::error_code why,
                                 reason_code code) {
    answer_to_filter& given = answers_[filter];
    unanswered_ -= given.code ? 0 : 1;
    given = {why, code};
    if (answered()) {
        complete_waiters();
    }
}

boost::system::error_code subscription_stream::refused() const {
    const bool all = answered() && std::ranges::all_of(answers_, [](const answer_to_filter& one) {
                         return one.why.failed();
                     });
    return all ? answers_.front().why : boost::system::error_code();
}

std::vector<reason_code> subscription_stream::codes() const {
    std::vector<reason_code> made;
    for (const answer_to_filter& one : answers_) {
        if (one.code) {
            made.push_back(*one.code);
        }
    }
    return made.size() == answers_.size() ? made : std::vector<reason_code>();
}

void subscription_stream::wait_answered(operation_ptr<std::vector<reason_code>> waiting) {
    if (ended_) {
        waiting->fail(ended_);
        return;
    }
    std::erase_if(waiters_, [](const auto& one) { return one->done(); });
    waiters_.push_back(std::move(waiting));
    if (answered()) {
        complete_waiters();
    }
}

void subscription_stream::complete_waiters() {
    const auto why = refused();
    const auto given = codes();
    for (const auto& waiter : std::exchange(waiters_, {})) {
        waiter->complete(why, given);
    }
}

void subscription_stream::fail_waiters(boost::system::error_code why) {
    for (const auto& waiter : std::exchange(waiters_, {})) {
        waiter->fail(why);
    }
}

}  // namespace fleetarium::detail
