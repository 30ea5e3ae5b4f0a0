#pragma once

#include <fleetarium/feed/described_equality.hpp>
#include <fleetarium/feed/source_link.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace fleetarium::dashboard {

/// A question that a view asks as long as it is shown, with its newest answer. It is asked anew
/// when it has changed, and otherwise every so often; never while an answer is on its way.
template <class Question>
class watched_question {
public:
    using answer_type = typename Question::answer;

    /// In each frame in which it is shown. `now` is steady real time in seconds; `every` is how
    /// often it is asked again, 0: only when it has changed.
    void ask(feed::source_link& of, const Question& question, double now, double every) {
        const bool is_new = !asked_ || !(*asked_ == question);
        if (kept_->under_way || (!is_new && (every == 0 || now < asked_at_ + every))) {
            return;
        }
        asked_ = question;
        asked_at_ = now;
        kept_->under_way = true;
        // The link may answer when this is gone.
        of.ask<Question>(question, [kept = kept_](const feed::outcome<answer_type>& told) {
            kept->under_way = false;
            ++kept->version;
            if (told.answer != nullptr) {
                kept->answer = *told.answer;
                kept->error.clear();
            } else {
                kept->error = told.error;
            }
        });
    }

    /// Of what was asked last, or, until it comes, before that. Null: there was none.
    const answer_type* answer() const { return kept_->answer ? &*kept_->answer : nullptr; }
    /// Why the last question had none; empty: it had.
    const std::string& error() const { return kept_->error; }
    /// Rises with each answer.
    std::uint64_t version() const { return kept_->version; }
    bool is_under_way() const { return kept_->under_way; }
    void forget() { *this = watched_question(); }

private:
    struct state {
        std::optional<answer_type> answer;
        std::string error;
        std::uint64_t version = 0;
        bool under_way = false;
    };
    std::shared_ptr<state> kept_ = std::make_shared<state>();
    std::optional<Question> asked_;
    double asked_at_ = 0;
};

}  // namespace fleetarium::dashboard
