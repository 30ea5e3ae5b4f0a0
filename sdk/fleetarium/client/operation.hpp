#pragma once

#include <fleetarium/client/environment.hpp>
#include <fleetarium/core/clock.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace fleetarium::detail {

class operation_list;

/// An asynchronous operation under way: a completion handler of any type, held once, with its
/// executor kept busy, its cancellation slot and its time limit.
///
/// It is completed once, whoever comes first, by posting the handler to its associated executor;
/// so handlers never run inside a call of the client. Who holds a completed one drops it.
class operation_base : public std::enable_shared_from_this<operation_base> {
public:
    operation_base() = default;
    operation_base(const operation_base&) = delete;
    operation_base& operator=(const operation_base&) = delete;
    virtual ~operation_base() { unlink(); }

    bool done() const { return done_; }

    /// From now on it cannot be undone any more: a request for `total` cancellation is not heeded.
    void begin_effects() { effects_begun_ = true; }

    /// What its owner does when it is cancelled or runs out of time, before the handler is posted.
    void on_given_up(std::function<void()> call) { given_up_ = std::move(call); }

    /// As a cancellation slot asks for it.
    void cancel(boost::asio::cancellation_type type);
    /// Completes with this error, unless done.
    virtual void fail(boost::system::error_code why) = 0;
    /// Completes with timed_out at `due`.
    void limit(environment& in, instant due);
    /// Destroys the handler without calling it: its context is going away.
    virtual void abandon() noexcept = 0;

protected:
    /// True for the first to complete it.
    bool finish();
    void mark_done() noexcept;
    void drop_timer() noexcept { timer_.reset(); }

private:
    friend class operation_list;
    void give_up(boost::system::error_code why);
    void unlink() noexcept;

    operation_base* previous_ = nullptr;
    operation_base* next_ = nullptr;
    operation_list* list_ = nullptr;
    std::unique_ptr<environment::timer> timer_;
    std::function<void()> given_up_;
    bool done_ = false;
    bool effects_begun_ = false;
};

/// All operations of a client that are not done, first to last.
class operation_list {
public:
    operation_list() = default;
    operation_list(const operation_list&) = delete;
    operation_list& operator=(const operation_list&) = delete;
    ~operation_list();

    void add(operation_base& one);
    /// Completes all with this error.
    void fail_all(boost::system::error_code why);
    /// Destroys the handlers of all; what they own may destroy the client meanwhile.
    void abandon_all() noexcept;

private:
    friend class operation_base;
    operation_base* first_ = nullptr;
    operation_base* last_ = nullptr;
};

template <class... Results>
class operation : public operation_base {
public:
    void complete(boost::system::error_code why, Results... results) {
        if (finish()) {
            post(why, std::move(results)...);
        }
    }
    void fail(boost::system::error_code why) override { complete(why, Results()...); }

private:
    virtual void post(boost::system::error_code why, Results... results) = 0;
};

template <class... Results>
using operation_ptr = std::shared_ptr<operation<Results...>>;

template <class Handler, class... Results>
class operation_of final : public operation<Results...> {
public:
    operation_of(Handler&& handler, const boost::asio::any_io_executor& fallback)
        : handler_(std::move(handler)),
          work_(boost::asio::get_associated_executor(*handler_, fallback)) {}

    /// Lets the handler's cancellation slot cancel the operation.
    void listen() {
        auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
        if (slot.is_connected()) {
            slot.assign([weak = this->weak_from_this()](boost::asio::cancellation_type type) {
                if (const auto live = weak.lock()) {
                    live->cancel(type);
                }
            });
        }
    }

    void abandon() noexcept override {
        this->mark_done();
        this->drop_timer();
        take();  // and destroy: what it owns may own this
        work_.reset();
    }

private:
    using executor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;

    void post(boost::system::error_code why, Results... results) override {
        auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
        if (slot.is_connected()) {
            slot.clear();
        }
        const auto to = work_.get_executor();
        boost::asio::post(to, boost::asio::append(*take(), why, std::move(results)...));
        work_.reset();
    }

    std::optional<Handler> take() {
        std::optional<Handler> taken(std::move(handler_));
        handler_.reset();
        return taken;
    }

    std::optional<Handler> handler_;
    boost::asio::executor_work_guard<executor> work_;
};

/// Holds a handler as an operation, in memory of the handler's allocator.
template <class... Results, class Handler>
operation_ptr<Results...> make_operation(Handler handler,
                                         const boost::asio::any_io_executor& fallback) {
    const auto allocator = boost::asio::get_associated_allocator(handler);
    auto made = std::allocate_shared<operation_of<Handler, Results...>>(
        allocator, std::move(handler), fallback);
    made->listen();
    return made;
}

}  // namespace fleetarium::detail

namespace fleetarium {

/// A completion token with a time limit; see client::within.
template <class Token>
class token_with_limit {
public:
    token_with_limit(duration limit, Token token) : limit_(limit), token_(std::move(token)) {}
    duration limit() const { return limit_; }
    Token& token() { return token_; }

private:
    duration limit_;
    Token token_;
};

namespace detail {

template <class Token>
struct token_traits {
    using inner = Token;
};
template <class Token>
struct token_traits<token_with_limit<Token>> {
    using inner = Token;
};

template <class Token>
duration limit_of(const Token&) {
    return duration::max();
}
template <class Token>
duration limit_of(const token_with_limit<Token>& token) {
    return token.limit();
}
template <class Token>
Token& inner_of(Token& token) {
    return token;
}
template <class Token>
Token& inner_of(token_with_limit<Token>& token) {
    return token.token();
}

/// A completion token for the signature, with or without a time limit.
template <class Token, class Signature>
concept token_for =
    boost::asio::completion_token_for<typename token_traits<std::remove_cvref_t<Token>>::inner,
                                      Signature>;

/// What the operation completes with beside the error, by its signature.
template <class Signature>
struct results_of;
template <class... Results>
struct results_of<void(boost::system::error_code, Results...)> {
    template <class Handler>
    static operation_ptr<Results...> make(Handler&& handler,
                                          const boost::asio::any_io_executor& fallback) {
        return make_operation<Results...>(std::forward<Handler>(handler), fallback);
    }
};

/// Begins an operation: `start(operation_ptr, limit, arguments...)` is called when the token says
/// so, at once or later.
template <class Signature, class Token, class Start, class... Arguments>
auto initiate(Token& token, const boost::asio::any_io_executor& executor, Start start,
              Arguments... arguments) {
    using inner = typename token_traits<std::remove_cvref_t<Token>>::inner;
    return boost::asio::async_initiate<inner, Signature>(
        [](auto&& handler, boost::asio::any_io_executor fallback, Start begin, duration limit,
           Arguments... with) {
            begin(results_of<Signature>::make(std::forward<decltype(handler)>(handler), fallback),
                  limit, std::move(with)...);
        },
        inner_of(token), executor, std::move(start), limit_of(token), std::move(arguments)...);
}

}  // namespace detail

}  // namespace fleetarium
