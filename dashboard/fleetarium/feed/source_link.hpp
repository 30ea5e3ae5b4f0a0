#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/feed/question_table.hpp>

#include <any>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace fleetarium::feed {

/// An answer, or why there is none.
template <class Answer>
struct outcome {
    const Answer* answer = nullptr;  ///< null: `error` says why
    std::string error{};
};

/// The way of a viewer to a source that lives elsewhere: on the thread of a run, on one of its own,
/// or behind a WebSocket. Questions go out at once; answers come when the viewer receives.
/// Thread rule: that of the viewer.
class source_link {
public:
    enum class state : std::uint8_t { connecting, connected, lost };

    virtual ~source_link() = default;

    /// `answered` is called from inside of `receive`, once; not after the link is gone.
    template <class Question>
    void ask(const Question& question,
             std::function<void(const outcome<typename Question::answer>&)> answered) {
        using answer = typename Question::answer;
        ++awaited_;
        send(*find_question(Question::name_of_question), question,
             [this, told = std::move(answered)](const std::any& found, const std::string& error) {
                 --awaited_;
                 told({std::any_cast<answer>(&found), error});
             });
    }

    /// Answers that have not been received yet.
    std::size_t awaited() const { return awaited_; }

    /// Takes what has come, and returns how many answers that were. Does not wait.
    virtual std::size_t receive() = 0;
    /// Called on any thread when there is something to receive.
    virtual void on_arrival(std::function<void()> call) = 0;

    virtual state connection() const = 0;
    /// Of a link that is lost or connecting: a sentence for the person.
    virtual std::string trouble() const = 0;

protected:
    using answer_handler = std::function<void(const std::any& answer, const std::string& error)>;
    virtual void send(const question_entry& which, std::any question, answer_handler answered) = 0;

private:
    std::size_t awaited_ = 0;
};

/// Whom a link wakes when something has arrived. Once `set` has returned, the one before is not
/// called any more. Thread rule: any thread; what is called may not set another.
class arrival_call {
public:
    void set(std::function<void()> call) {
        const std::lock_guard lock(mutex_);
        call_ = std::move(call);
    }
    void tell() const {
        const std::lock_guard lock(mutex_);
        if (call_) {
            call_();
        }
    }

private:
    mutable std::mutex mutex_;
    std::function<void()> call_;
};

/// The two ends of a link between threads: the viewer's is the source_link; the source's thread
/// calls `serve` when it has time for it.
/// Thread rule: `serve` and `close` on the source's thread; the rest as source_link has it.
class thread_link final : public source_link {
public:
    thread_link();
    ~thread_link() override;

    std::size_t receive() override;
    void on_arrival(std::function<void()> call) override;
    state connection() const override;
    std::string trouble() const override;

    /// Answers what was asked, for `budget_questions` at most. Returns how many it answered.
    /// `share` is that of the thread's real time which answers may take, above 0 to 1: behind one
    /// that took long the next ones wait.
    std::size_t serve(source& by, std::size_t budget_questions = 64, double share = 1);
    /// Called on the viewer's thread when it has asked something: to wake the source's.
    void on_question(std::function<void()> call);
    /// The source is gone; a sentence why.
    void close(const std::string& why);

private:
    void send(const question_entry& which, std::any question, answer_handler answered) override;

    struct shared;
    std::shared_ptr<shared> shared_;
    instant rest_until_{};
};

}  // namespace fleetarium::feed
