#include <fleetarium/net/pipe.hpp>

#include <fleetarium/core/assert.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace fleetarium::net {

namespace {

// What the reader has not been told yet counts as the writer's backlog from here on, as if a
// socket's buffers held the rest.
constexpr std::size_t transport_bytes_max = std::size_t{256} * 1024;

// A writer that floods has the reader's thread for about so long, then others have theirs.
constexpr std::size_t told_per_turn_max = std::size_t{256} * 1024;

class pipe_end;

/// What both ends share. An end that is open is called in turns on its executor; one turn at most
/// is posted at any time, and deals with all that has happened until then.
struct pipe_core {
    struct side {
        boost::asio::any_io_executor executor;
        pipe_end* end = nullptr;   // touched by the executor's thread only
        bool open = true;          // else its executor may be gone
        bool turn_posted = false;  // and not begun
        bool wants_bytes = false;  // started, and not paused
        bool closed = false;       // writes no more; what it wrote is still read
        bool deaf = false;         // reads no more
        bool awaits_room = false;  // its writes left a backlog
        wire_buffer arrived;       // not yet taken by the end
        std::size_t untold = 0;    // bytes written to it, and not told by it yet
    };

    /// With the mutex held, so that the side cannot close and its executor end meanwhile.
    static void post_turn(const std::shared_ptr<pipe_core>& core, std::size_t whose);

    std::mutex mutex;  // guards all but `end` and the executors
    std::array<side, 2> sides;
};

class pipe_end final : public byte_stream {
public:
    pipe_end(std::shared_ptr<pipe_core> core, std::size_t self)
        : core_(std::move(core)), self_(self) {
        mine().end = this;
    }
    ~pipe_end() override { leave(); }

    void start(events& to) override {
        FLEETARIUM_ASSERT(to_ == nullptr);
        if (left_) {
            return;
        }
        to_ = &to;
        // As a socket that is watched, it keeps `run` from returning.
        work_ =
            boost::asio::prefer(mine().executor, boost::asio::execution::outstanding_work.tracked);
        look_again();
    }

    void write(wire_buffer bytes) override {
        if (left_ || closing_ || bytes.empty()) {
            return;
        }
        const std::size_t count = bytes.size();
        const std::lock_guard lock(core_->mutex);
        pipe_core::side& to = other();
        if (to.deaf) {
            // Told now if nothing is read that would tell it.
            peer_is_gone_ = true;
            post_turn_to(self_);
            return;
        }
        to.arrived.append(std::move(bytes));
        to.untold += count;
        mine().awaits_room |= to.untold > transport_bytes_max;
        if (to.wants_bytes) {
            post_turn_to(1 - self_);
        }
    }

    std::size_t backlog() const override {
        if (left_ || closing_) {
            return 0;
        }
        const std::lock_guard lock(core_->mutex);
        const std::size_t untold = other().untold;
        return untold > transport_bytes_max ? untold - transport_bytes_max : 0;
    }

    void pause_reading() override { paused_ = true; }  // the next turn tells the writer

    void resume_reading() override {
        if (std::exchange(paused_, false) && to_ != nullptr) {
            look_again();
        }
    }

    void close() override {
        if (left_ || std::exchange(closing_, true)) {
            return;
        }
        // What was written is in the reader's hands already; what the peer writes is not read.
        taken_.clear();
        const wire_buffer unread = [&] {
            const std::lock_guard lock(core_->mutex);
            post_turn_to(self_);
            return end_both_ways();
        }();
    }

    void abort() noexcept override {
        to_ = nullptr;
        leave();
    }

    peer_facts peer() const override { return {.address = "pipe"}; }

    void run_turn() {
        if (to_ == nullptr && !closing_) {
            const std::lock_guard lock(core_->mutex);
            mine().turn_posted = false;
            return;  // `start` looks again
        }
        // An event may destroy this.
        const auto is_here = [this, core = core_, self = self_] {
            return core->sides[self].end == this;
        };
        const found now = look();
        if (closing_) {
            finish({});
        } else if (paused_ && (peer_is_gone_ || now.backlog_is_lost)) {
            finish(boost::asio::error::broken_pipe);
        } else {
            if (now.has_room) {
                to_->on_drained();
            }
            if (is_here() && tell_bytes(is_here) && now.peer_closed && taken_.empty() && !paused_) {
                finish(boost::asio::error::eof);
            }
        }
    }

private:
    struct found {
        bool has_room = false;         // for those who wait for it
        bool peer_closed = false;      // after what has arrived
        bool backlog_is_lost = false;  // the peer will not read it
    };

    pipe_core::side& mine() const { return core_->sides[self_]; }
    pipe_core::side& other() const { return core_->sides[1 - self_]; }
    void post_turn_to(std::size_t whose) { pipe_core::post_turn(core_, whose); }

    found look() {
        const std::lock_guard lock(core_->mutex);
        pipe_core::side& me = mine();
        const pipe_core::side& peer = other();
        me.turn_posted = false;
        me.wants_bytes = !paused_;
        found now;
        if (!paused_) {
            taken_.append(std::move(me.arrived));
            now.peer_closed = peer.closed;
        }
        now.backlog_is_lost = me.awaits_room && peer.deaf;
        now.has_room = me.awaits_room && !peer.deaf && peer.untold <= transport_bytes_max;
        me.awaits_room = me.awaits_room && !now.has_room;
        return now;
    }

    /// Tells what was taken, as far as it may; false if an event left or closed the end.
    template <class IsHere>
    bool tell_bytes(const IsHere& is_here) {
        wire_buffer telling = std::move(taken_);
        std::size_t skipped = told_of_taken_;
        std::size_t told = 0;
        bool here = true;
        telling.visit_parts_while([&](bytes_view part) {
            if (skipped != 0) {
                skipped -= part.size();
                return true;
            }
            told += part.size();
            to_->on_bytes(part);
            here = is_here();
            return here && !closing_ && !paused_ && told < told_per_turn_max;
        });
        if (!here || closing_) {
            return false;
        }
        told_of_taken_ = telling.drop_front(told_of_taken_ + told);
        taken_ = std::move(telling);
        if (told != 0) {
            note_told(told);
        }
        return true;
    }

    void note_told(std::size_t count) {
        const std::lock_guard lock(core_->mutex);
        mine().untold -= count;
        if (other().awaits_room && mine().untold <= transport_bytes_max) {
            post_turn_to(1 - self_);
        }
        if (!taken_.empty() && !paused_) {
            post_turn_to(self_);
        }
    }

    void look_again() {
        const std::lock_guard lock(core_->mutex);
        mine().wants_bytes = true;
        post_turn_to(self_);
    }

    /// With the mutex held. Returns what will not be read, to be freed without it.
    wire_buffer end_both_ways() {
        pipe_core::side& me = mine();
        if (!std::exchange(me.deaf, true)) {
            me.closed = true;
            me.untold = 0;
            if (other().wants_bytes || other().awaits_room) {
                post_turn_to(1 - self_);
            }
        }
        return std::move(me.arrived);
    }

    void finish(boost::system::error_code why) {
        events* const to = std::exchange(to_, nullptr);
        leave();
        if (to != nullptr) {
            to->on_closed(why);  // which may destroy this
        }
    }

    void leave() noexcept {
        if (std::exchange(left_, true)) {
            return;
        }
        mine().end = nullptr;
        taken_.clear();
        const wire_buffer unread = [&] {
            const std::lock_guard lock(core_->mutex);
            mine().open = false;
            return end_both_ways();
        }();
        work_ = {};
    }

    std::shared_ptr<pipe_core> core_;
    std::size_t self_;
    events* to_ = nullptr;
    boost::asio::any_io_executor work_;
    wire_buffer taken_;              // told next
    std::size_t told_of_taken_ = 0;  // at its front
    bool paused_ = false;
    bool closing_ = false;
    bool left_ = false;
    bool peer_is_gone_ = false;  // a write found
};

void pipe_core::post_turn(const std::shared_ptr<pipe_core>& core, std::size_t whose) {
    side& woken = core->sides[whose];
    if (!woken.open || std::exchange(woken.turn_posted, true)) {
        return;
    }
    boost::asio::post(woken.executor, [core, whose] {
        if (pipe_end* const end = core->sides[whose].end) {
            end->run_turn();
        }
    });
}

}  // namespace

pipe_ends make_pipe(const boost::asio::any_io_executor& first,
                    const boost::asio::any_io_executor& second) {
    const auto core = std::make_shared<pipe_core>();
    core->sides[0].executor = first;
    core->sides[1].executor = second;
    return {std::make_unique<pipe_end>(core, 0), std::make_unique<pipe_end>(core, 1)};
}

}  // namespace fleetarium::net
