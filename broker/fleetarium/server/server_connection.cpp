#include <fleetarium/server/server_connection.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/net/socket_poller.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::broker {

namespace {

/// A guess from the first bytes of a connection, for the log: MQTT begins with 0x10.
server_gate::foreign_protocol protocol_of(bytes_view first) {
    if (first.size() >= 2 && first[0] == 0x16 && first[1] == 0x03) {
        return server_gate::foreign_protocol::tls;  // a handshake record of any version
    }
    for (const std::string_view word : {"GET ", "HEAD ", "POST ", "PUT ", "OPTIONS ", "CONNECT "}) {
        if (as_text(first).starts_with(word)) {
            return server_gate::foreign_protocol::http;
        }
    }
    return server_gate::foreign_protocol::none;
}

}  // namespace

// A connection comes

server::implementation::io_thread& server::implementation::pick_thread() {
    // Whoever has the fewest connections; in turns where that is even.
    const std::size_t first = next_thread_.fetch_add(1, std::memory_order_relaxed);
    io_thread* best = nullptr;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        io_thread& each = *threads_[(first + i) % threads_.size()];
        if (best == nullptr || each.connection_count < best->connection_count) {
            best = &each;
        }
    }
    ++best->connection_count;  // taken back by forget
    return *best;
}

void server::implementation::adopt(io_thread& thread, std::unique_ptr<net::byte_stream> stream,
                                   listening_socket* came_by) {
    auto* const made = new connection(thread, std::move(stream), came_by);
    made->address = made->stream->peer().address;
    made->from = address_key_of(made->address);
    connection_manner manner;
    if (came_by != nullptr) {
        const listener_options& rules = *came_by->options;
        manner.maximum_packet_size = rules.maximum_packet_size.value_or(limits::packet_size_max);
        manner.refused = ++came_by->connection_count > rules.connections_max;
        if (!admit_connection(*made, manner)) {
            made->stream->abort();
            --came_by->connection_count;
            --thread.connection_count;
            delete made;
            return;
        }
    }
    made->next = std::exchange(thread.first, made);
    if (made->next != nullptr) {
        made->next->previous = made;
    }
    {
        const std::lock_guard turn(core_mutex_);
        made->id = core_.handle_open(manner, net::real_now());
        if (connections_.size() <= made->id) {
            connections_.resize(made->id + std::size_t{1});
        }
        connections_[made->id] = made;
        ++connections_open_;
        arm_timer();
    }
    made->stream->start(*made);
    if (stopping_) {
        made->stream->close();
    }
}

// Bytes come

void server::implementation::take_bytes(connection& from, bytes_view bytes) {
    if (!from.has_spoken) {
        const auto foreign =
            from.waiting ? server_gate::foreign_protocol::none : protocol_of(bytes);
        if (foreign != server_gate::foreign_protocol::none) {
            const std::lock_guard turn(core_mutex_);  // the timer's thread may ask
            from.speaks = foreign;
        }
        if (gate_.has_passwords()) {
            hold_connect(from, bytes);
            return;
        }
        begin(from);
    }
    hand_in(from, bytes);
}

/// Before the first bytes reach the core.
void server::implementation::begin(connection& from) {
    from.has_spoken = true;
    if (from.came_by == nullptr || !from.came_by->options->subject_as_user_name) {
        return;
    }
    const std::string subject = from.stream->peer().certificate_subject;
    if (!subject.empty()) {
        const std::lock_guard turn(core_mutex_);
        core_.vouch_for_user(from.id, subject);
    }
}

void server::implementation::hand_in(connection& from, bytes_view bytes) {
    bool has_output = false;
    bool waits = false;
    {
        const std::lock_guard turn(core_mutex_);
        const std::uint64_t before = persistence_ ? persistence_->position() : 0;
        core_.refuse_connects(persistence_ && !persistence_->has_room());
        core_.note_transport_bytes(output_waiting_ + connects_held_);
        core_.handle_bytes(from.id, bytes, net::real_now());
        has_output = has_work();
        waits = persistence_ && persistence_->position() != before && !persistence_->has_room();
        if (waits) {
            core_.handle_reading(from.id, false, net::real_now());
            from.thread.has_unread = true;
        }
    }
    if (waits && (from.paused & connection::for_disk) == 0) {
        from.pause(connection::for_disk);
        from.thread.unread.push_back(&from);
    }
    if (has_output) {
        flush_soon(from.thread);
    }
}

/// In the core's turn: the disk has caught up, maybe.
void server::implementation::read_again_if_room() {
    if (!persistence_ || !persistence_->has_room()) {
        return;
    }
    for (const auto& each : threads_) {
        if (std::exchange(each->has_unread, false)) {
            boost::asio::post(each->context, [this, &thread = *each] { read_again(thread); });
        }
    }
}

/// In the order in which they began to wait, so many as may bring what there is room for; the rest
/// when these have been read from.
void server::implementation::read_again(io_thread& thread) {
    constexpr int portion = 64;
    const std::lock_guard turn(core_mutex_);
    for (int i = 0; i < portion && !thread.unread.empty() && persistence_->has_room(); ++i) {
        connection& next = *thread.unread.front();
        thread.unread.pop_front();
        core_.handle_reading(next.id, true, net::real_now());
        next.resume(connection::for_disk);
    }
    if (thread.unread.empty()) {
        return;
    }
    if (persistence_->has_room()) {
        boost::asio::post(thread.context, [this, &thread] { read_again(thread); });
    } else {
        thread.has_unread = true;
    }
}

/// Gathers CONNECT and has its password looked at on a thread of its own: that takes long by
/// design, and nobody else is to wait for it.
void server::implementation::hold_connect(connection& from, bytes_view bytes) {
    if (!from.waiting) {
        from.waiting = std::make_shared<connection::candidate>();
        from.waiting->of = &from;
    }
    connection::candidate& held = *from.waiting;
    held.bytes.insert(held.bytes.end(), bytes.begin(), bytes.end());
    connects_held_ += bytes.size();
    if (held.complete) {
        return;  // came while the password is looked at
    }
    std::uint32_t size_max = options_.broker.connect_packet_size_max;
    if (from.came_by != nullptr) {
        const auto& rules = *from.came_by->options;
        size_max = std::min(size_max, rules.maximum_packet_size.value_or(size_max));
    }
    bytes_view rest = held.bytes;
    frame first;
    const frame_result cut = split_frame(rest, first, size_max);
    const bool may_be_connect = cut.broken == violation::none &&
                                frame{held.bytes.front(), {}}.type() == packet_type::connect;
    if (!cut.complete && may_be_connect) {  // all else the core refuses at its first bytes
        if (is_short_of_memory()) {
            refuse_as_busy(from);
        }
        return;
    }
    held.complete = true;
    connect request;
    const bool has_password = cut.complete && first.type() == packet_type::connect &&
                              decode(first, request) == violation::none && request.user_name &&
                              request.password;
    if (!has_password) {
        admit(from, false);
        return;
    }
    const std::string_view given = as_text(*request.password);
    if (const auto known = gate_.passwords().known(*request.user_name, given)) {
        admit(from, *known);
        return;
    }
    if (!password_turns_.enter(from.from)) {
        ++counted_.password_checks_refused;
        refuse_as_busy(from);
        return;
    }
    std::shared_ptr<void> place(
        nullptr, [this, address = from.from](void*) { password_turns_.leave(address); });
    from.pause(connection::for_password);
    boost::asio::post(
        *password_threads_,
        [this, weak = std::weak_ptr<connection::candidate>(from.waiting), &thread = from.thread,
         place = std::move(place), user_name = std::string(*request.user_name),
         password = std::string(given)]() mutable {
            // Who has gone meanwhile costs nothing more.
            const bool right = !weak.expired() && gate_.passwords().check(user_name, password);
            place.reset();
            boost::asio::post(thread.context, [this, weak, right] {
                if (const auto held_still = weak.lock()) {
                    admit(*held_still->of, right);
                }
            });
        });
}

/// Nobody is let in then, and the core knows what to do about bytes that wait for more.
bool server::implementation::is_short_of_memory() {
    if (options_.broker.memory_max == 0) {
        return false;
    }
    const std::lock_guard turn(core_mutex_);
    core_.note_transport_bytes(output_waiting_ + connects_held_);
    return core_.memory().sheds(shedding::connections);
}

void server::implementation::refuse_as_busy(connection& from) {
    {
        const std::lock_guard turn(core_mutex_);
        from.is_too_busy = true;
    }
    admit(from, false);
}

void server::implementation::admit(connection& from, bool password_is_right) {
    const std::shared_ptr<connection::candidate> held = std::move(from.waiting);
    from.waiting = nullptr;
    connects_held_ -= held->bytes.size();
    {
        const std::lock_guard turn(core_mutex_);
        from.password_is_right = password_is_right;
    }
    begin(from);
    from.resume(connection::for_password);
    hand_in(from, held->bytes);
}

// Bytes go

void server::implementation::flush_soon(io_thread& thread) {
    if (!std::exchange(thread.flush_promised, true)) {
        net::socket_poller::of(thread.context).call_at_turn_end([this, &thread] {
            thread.flush_promised = false;
            flush(thread);
        });
    }
}

/// From another thread, with core_mutex_ held.
void server::implementation::wake(io_thread& thread) {
    if (!thread.woken) {
        thread.woken = true;
        boost::asio::post(thread.context, [this, &thread] { flush(thread); });
    }
}

void server::implementation::collect(io_thread& thread) {
    thread.woken = false;
    thread.taken.swap(thread.mailbox);
    while (auto out = core_.poll_output()) {
        connection* const to = connections_[out->connection];
        FLEETARIUM_ASSERT(to != nullptr);
        mail made{to, std::move(out->bytes), out->close, out->client_left};
        if (made.bytes.size() > options_.output_bytes_max) {
            made.congests = true;  // until its thread has written it, the core makes no more
            core_.handle_congested(to->id, net::real_now());
        }
        if (&to->thread == &thread) {
            thread.taken.push_back(std::move(made));
        } else {
            to->thread.mailbox.push_back(std::move(made));
            wake(to->thread);
        }
    }
    if (persistence_) {
        persistence_->commit_soon();
    }
    arm_timer();
}

void server::implementation::flush(io_thread& thread) {
    {
        const std::lock_guard turn(core_mutex_);
        collect(thread);
    }
    for (mail& each : thread.taken) {
        write(each);
    }
    thread.taken.clear();
}

void server::implementation::write(mail& out) {
    connection& to = *out.to;
    if (!out.bytes.empty()) {
        to.stream->write(std::move(out.bytes));
    }
    if (out.close) {
        out.client_left ? to.stream->hang_up() : to.stream->close();
        return;
    }
    note_backlog(to);
    const std::size_t backlog = to.stream->backlog();
    if (backlog <= options_.output_bytes_max) {
        if (out.congests) {
            go_on_after(to);
            // Not at the end of this turn, which would have no end for a client that reads fast.
            boost::asio::post(to.thread.context, [this, &thread = to.thread] { flush(thread); });
        }
        return;
    }
    if (out.congests || !to.congested) {
        to.congested = true;
        const std::lock_guard turn(core_mutex_);
        core_.handle_congested(to.id, net::real_now());
    }
    if (backlog > 2 * options_.output_bytes_max) {
        // What it asks for itself grows the backlog now: answers.
        to.pause(connection::for_output);
    }
}

/// The socket took what was, or might have been, too much for it.
void server::implementation::go_on_after(connection& written) {
    written.congested = false;
    written.resume(connection::for_output);
    const std::lock_guard turn(core_mutex_);
    core_.handle_drained(written.id, net::real_now());
}

void server::implementation::note_drained(connection& of) {
    note_backlog(of);
    if (!of.congested) {
        return;
    }
    go_on_after(of);
    flush_soon(of.thread);
}

// A connection goes

void server::implementation::forget(connection& gone, boost::system::error_code why) {
    dismiss(gone);
    io_thread& thread = gone.thread;
    bool has_output = false;
    std::optional<std::string> said;
    {
        const std::lock_guard turn(core_mutex_);
        if (!gone.has_spoken && why) {
            said = strangers_.admit(net::real_now());
        }
        core_.handle_closed(gone.id, net::real_now());
        connections_[gone.id] = nullptr;
        std::erase_if(thread.mailbox, [&](const mail& each) { return each.to == &gone; });
        has_output = has_work();
        if (--connections_open_ == 0) {
            connection_gone_.notify_all();
        }
    }
    if (has_output) {
        flush_soon(thread);
    }
    if (said) {
        log_(log_level::info,
             gone.address + ": closed before it said anything in MQTT: " + why.message() + *said);
    }
    if (gone.came_by != nullptr) {
        --gone.came_by->connection_count;
    }
    if ((gone.paused & connection::for_disk) != 0) {
        std::erase(thread.unread, &gone);
    }
    (gone.previous != nullptr ? gone.previous->next : thread.first) = gone.next;
    if (gone.next != nullptr) {
        gone.next->previous = gone.previous;
    }
    --thread.connection_count;
    delete &gone;
}

// Time

/// With core_mutex_ held: sees to it that the core's next deadline is kept.
void server::implementation::arm_timer() {
    const instant due = core_.poll_timeout();
    if (due < timer_due_ && !threads_.empty()) {
        timer_due_ = due;
        boost::asio::post(threads_.front()->context, [this] { wait_for_timer(); });
    }
}

void server::implementation::wait_for_timer() {
    // Deadlines of many clients come in crowds: those within a millisecond are kept together.
    constexpr duration crowd = std::chrono::milliseconds{1};
    instant due = never;
    {
        const std::lock_guard turn(core_mutex_);
        due = timer_due_;
    }
    timer_->expires_after(std::max(due - net::real_now(), duration{}) + crowd);
    timer_->async_wait([this](boost::system::error_code cancelled) {
        if (cancelled) {
            return;
        }
        {
            const std::lock_guard turn(core_mutex_);
            timer_due_ = never;
            core_.handle_timeout(net::real_now());
        }
        flush(*threads_.front());
    });
}

}  // namespace fleetarium::broker
