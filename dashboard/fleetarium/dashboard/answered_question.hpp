#pragma once

#include <fleetarium/dashboard/watched_question.hpp>

#include <cstdint>
#include <string>

namespace fleetarium::dashboard {

/// A watched question that knows to which question its answer belongs: a page of rows and its
/// place, a part of a map and its bounds, while the next is on its way.
template <class Question>
class answered_question {
public:
    void ask(feed::source_link& of, const Question& question, double now, double every) {
        settle();
        const bool was_under_way = watched_.is_under_way();
        watched_.ask(of, question, now, every);
        if (!was_under_way && watched_.is_under_way()) {
            under_way_ = question;
        }
    }

    const typename Question::answer* answer() const { return watched_.answer(); }
    /// Of the answer; of none before there is one.
    const Question& asked() const { return answered_; }
    const std::string& error() const { return watched_.error(); }
    std::uint64_t version() const { return watched_.version(); }
    bool is_under_way() const { return watched_.is_under_way(); }
    void forget() { *this = answered_question(); }

private:
    void settle() {
        if (watched_.version() == version_) {
            return;
        }
        version_ = watched_.version();
        if (watched_.error().empty()) {
            answered_ = under_way_;
        }
    }

    watched_question<Question> watched_{};
    Question under_way_{};
    Question answered_{};
    std::uint64_t version_ = 0;
};

}  // namespace fleetarium::dashboard
