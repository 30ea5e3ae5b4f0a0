#include <fleetarium/feed/source_link.hpp>

#include <fleetarium/net/real_clock.hpp>

#include <deque>

namespace fleetarium::feed {

struct thread_link::shared {
    struct asked {
        const question_entry* which;
        std::any question;
        answer_handler answered;
    };
    struct answered {
        answer_handler told;
        std::any answer;
        std::string error;
    };

    mutable std::mutex mutex;
    std::deque<asked> questions;
    std::deque<answered> answers;
    arrival_call arrival;
    std::function<void()> on_question;
    bool closed = false;
    std::string why;
};

thread_link::thread_link() : shared_(std::make_shared<shared>()) {}
thread_link::~thread_link() = default;

std::size_t thread_link::receive() {
    std::deque<shared::answered> arrived;
    {
        const std::lock_guard lock(shared_->mutex);
        arrived.swap(shared_->answers);
    }
    for (const shared::answered& each : arrived) {
        each.told(each.answer, each.error);
    }
    return arrived.size();
}

void thread_link::on_arrival(std::function<void()> call) { shared_->arrival.set(std::move(call)); }

void thread_link::on_question(std::function<void()> call) {
    const std::lock_guard lock(shared_->mutex);
    shared_->on_question = std::move(call);
}

source_link::state thread_link::connection() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->closed ? state::lost : state::connected;
}

std::string thread_link::trouble() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->why;
}

void thread_link::send(const question_entry& which, std::any question, answer_handler answered) {
    std::function<void()> wake;
    bool is_answered = false;
    {
        const std::lock_guard lock(shared_->mutex);
        is_answered = shared_->closed;
        if (is_answered) {
            shared_->answers.push_back({std::move(answered), {}, shared_->why});
        } else {
            shared_->questions.push_back({&which, std::move(question), std::move(answered)});
            wake = shared_->on_question;
        }
    }
    if (is_answered) {
        shared_->arrival.tell();
    } else if (wake) {
        wake();
    }
}

std::size_t thread_link::serve(source& by, std::size_t budget_questions, double share) {
    std::size_t done = 0;
    for (; done < budget_questions; ++done) {
        if (share < 1 && net::real_now() < rest_until_) {
            break;
        }
        shared::asked next;
        {
            const std::lock_guard lock(shared_->mutex);
            if (shared_->questions.empty()) {
                break;
            }
            next = std::move(shared_->questions.front());
            shared_->questions.pop_front();
        }
        const instant began = net::real_now();
        shared::answered made{std::move(next.answered), {}, {}};
        try {
            made.answer = next.which->ask_value(by, next.question);
        } catch (const std::exception& error) {
            made.error = error.what();
        }
        const instant ended = net::real_now();
        rest_until_ =
            ended + std::chrono::duration_cast<duration>((ended - began) * (1 / share - 1));
        {
            const std::lock_guard lock(shared_->mutex);
            shared_->answers.push_back(std::move(made));
        }
        shared_->arrival.tell();
    }
    return done;
}

void thread_link::close(const std::string& why) {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->closed = true;
        shared_->why = why;
        for (shared::asked& each : shared_->questions) {
            shared_->answers.push_back({std::move(each.answered), {}, why});
        }
        shared_->questions.clear();
    }
    shared_->arrival.tell();
}

}  // namespace fleetarium::feed
