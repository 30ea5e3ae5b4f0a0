#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fleetarium::cli {

/// How long the frames of a window take, by view. Times are in seconds.
class frame_meter {
public:
    /// 30 frames a second.
    static constexpr double limit = 1.0 / 30;

    /// From now on frames are of this view.
    void begin(const std::string& view);
    /// `whole`: building, drawing and showing it; `processor`: of that, this thread's own work.
    void add(double whole, double processor);
    std::size_t frames() const { return views_.empty() ? 0 : views_.back().whole.size(); }

    /// Whether 99 of 100 frames of each view are within the limit. By the thread's own work: what
    /// else the machine does meanwhile is not the window's.
    bool is_within_limit() const;
    /// A line for each view, in milliseconds.
    std::string table() const;

private:
    struct times {
        std::string view;
        std::vector<double> whole{};
        std::vector<double> processor{};
    };
    std::vector<times> views_;
};

/// Processor time of this thread, in seconds.
double own_seconds();

}  // namespace fleetarium::cli
