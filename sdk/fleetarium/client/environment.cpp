#include <fleetarium/client/environment.hpp>

#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/net/system_random.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace fleetarium {

namespace {

/// A deadline farther away is approached in steps, for the system's clock counts no farther.
constexpr duration step_max = std::chrono::hours{24 * 365};

/// The callback may start or destroy the timer: what it needs is shared with the wait.
class real_timer final : public environment::timer {
public:
    explicit real_timer(boost::asio::io_context& context)
        : state_(std::make_shared<state>(context)) {}
    ~real_timer() override { cancel(); }

    void start(instant due, std::function<void()> fired) override {
        ++state_->generation;
        state_->due = due;
        state_->fired = std::move(fired);
        if (due == never) {
            state_->waiting.cancel();
        } else {
            wait(state_);
        }
    }

    void cancel() noexcept override {
        ++state_->generation;
        state_->fired = nullptr;
        state_->waiting.cancel();
    }

private:
    struct state {
        explicit state(boost::asio::io_context& context) : waiting(context) {}
        boost::asio::steady_timer waiting;
        instant due = never;
        std::function<void()> fired;
        std::uint64_t generation = 0;
    };

    static void wait(const std::shared_ptr<state>& of) {
        const instant now = net::real_now();
        of->waiting.expires_after(of->due <= now ? duration::zero()
                                                 : std::min<duration>(of->due - now, step_max));
        of->waiting.async_wait([of, generation = of->generation](boost::system::error_code why) {
            if (why || of->generation != generation) {
                return;
            }
            if (net::real_now() < of->due) {
                wait(of);
                return;
            }
            ++of->generation;
            const std::function<void()> call = std::exchange(of->fired, nullptr);
            call();
        });
    }

    std::shared_ptr<state> state_;
};

}  // namespace

instant real_environment::now() const { return net::real_now(); }

std::unique_ptr<environment::timer> real_environment::make_timer() {
    return std::make_unique<real_timer>(context_);
}

std::unique_ptr<net::connect_attempt> real_environment::connect(const net::url& to,
                                                                const net::tls_context& tls,
                                                                net::connect_handler done) {
    return net::connect_stream(context_, to, tls, std::move(done));
}

std::uint64_t real_environment::next_seed() {
    return net::system_random_number();
}

}  // namespace fleetarium
