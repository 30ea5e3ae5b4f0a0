#include <fleetarium/client/operation.hpp>

#include <fleetarium/core/result.hpp>

#include <boost/asio/error.hpp>

namespace fleetarium::detail {

using boost::asio::cancellation_type;

void operation_base::cancel(cancellation_type type) {
    const bool ends_the_wait =
        (type & (cancellation_type::terminal | cancellation_type::partial)) !=
        cancellation_type::none;
    if (done_ || (effects_begun_ && !ends_the_wait)) {
        return;
    }
    give_up(boost::asio::error::operation_aborted);
}

void operation_base::give_up(boost::system::error_code why) {
    const auto keep = shared_from_this();  // the owner may drop it
    if (const auto call = std::move(given_up_)) {
        given_up_ = nullptr;
        call();
    }
    fail(why);
}

void operation_base::limit(environment& in, instant due) {
    if (done_ || due == never) {
        return;
    }
    timer_ = in.make_timer();
    // Not from inside the timer: the operation that owns it may be destroyed by that.
    timer_->start(due, [weak = weak_from_this(), executor = in.executor()] {
        boost::asio::post(executor, [weak] {
            const auto live = weak.lock();
            if (live && !live->done()) {
                live->give_up(error::timed_out);
            }
        });
    });
}

bool operation_base::finish() {
    if (done_) {
        return false;
    }
    mark_done();
    return true;
}

void operation_base::mark_done() noexcept {
    done_ = true;
    given_up_ = nullptr;
    if (timer_) {
        timer_->cancel();
    }
    unlink();
}

void operation_base::unlink() noexcept {
    if (list_ == nullptr) {
        return;
    }
    (previous_ != nullptr ? previous_->next_ : list_->first_) = next_;
    (next_ != nullptr ? next_->previous_ : list_->last_) = previous_;
    list_ = nullptr;
    previous_ = nullptr;
    next_ = nullptr;
}

operation_list::~operation_list() {
    while (first_ != nullptr) {
        first_->unlink();
    }
}

void operation_list::add(operation_base& one) {
    one.list_ = this;
    one.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &one;
    last_ = &one;
}

void operation_list::fail_all(boost::system::error_code why) {
    while (first_ != nullptr) {
        const auto keep = first_->shared_from_this();
        keep->fail(why);
    }
}

void operation_list::abandon_all() noexcept {
    while (first_ != nullptr) {
        const auto keep = first_->shared_from_this();
        keep->abandon();
    }
}

}  // namespace fleetarium::detail
