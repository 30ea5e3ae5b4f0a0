#include <fleetarium/dashboard/sequence_model.hpp>

#include <fleetarium/dashboard/plot_axis.hpp>

#include <algorithm>
#include <string_view>

namespace fleetarium::dashboard {

namespace {

constexpr double lines_of_step = 1.7;
constexpr double lines_of_gap = 1.5;
constexpr double gap_factor = 10;  ///< so many times the usual distance is a gap
constexpr double gap_least = 0.1;  ///< seconds

bool contains(const std::vector<std::string>& names, std::size_t from, const std::string& name) {
    return std::find(names.begin() + static_cast<std::ptrdiff_t>(from), names.end(), name) !=
           names.end();
}

/// Whether a packet belongs to the publisher's half of the journey, by its name and whether the
/// broker sent it.
bool is_way_in(const feed::message_step& step, bool by_broker) {
    const bool is_publisher_packet = step.packet == "PUBLISH" || step.packet == "PUBREL";
    return is_publisher_packet != by_broker;
}

/// Distance in time from which on it is compressed.
double gap_from(const std::vector<feed::message_step>& steps) {
    std::vector<double> distances;
    for (std::size_t i = 1; i < steps.size(); ++i) {
        if (steps[i].at > steps[i - 1].at) {
            distances.push_back(steps[i].at - steps[i - 1].at);
        }
    }
    if (distances.empty()) {
        return gap_least;
    }
    const auto middle = distances.begin() + static_cast<std::ptrdiff_t>((distances.size() - 1) / 2);
    std::nth_element(distances.begin(), middle, distances.end());
    return std::max(gap_least, gap_factor * *middle);
}

class layout_of_steps {
public:
    explicit layout_of_steps(const feed::message_answer& of) : of_(of) {}

    sequence make() {
        find_columns();
        place();
        out_.deliveries_left_out = left_out();
        return std::move(out_);
    }

private:
    void find_columns() {
        const std::string& publisher = of_.message.publisher;
        if (!publisher.empty()) {
            out_.columns.push_back(publisher);
        }
        out_.brokers_from = out_.columns.size();
        std::vector<std::string> receivers;
        for (const feed::delivery_row& each : of_.deliveries) {
            receivers.push_back(each.receiver);
        }
        for (const feed::message_step& step : of_.steps) {
            for (const std::string* const name : {&step.from, &step.to}) {
                if (*name != publisher && !contains(receivers, 0, *name) &&
                    !contains(out_.columns, out_.brokers_from, *name)) {
                    out_.columns.push_back(*name);
                }
            }
        }
        if (out_.columns.size() == out_.brokers_from) {
            out_.columns.emplace_back("broker");
        }
        out_.receivers_from = out_.columns.size();
        for (const std::string& name : receivers) {
            if (has_steps(name) && !contains(out_.columns, out_.receivers_from, name)) {
                out_.columns.push_back(name);
            }
        }
    }

    bool has_steps(const std::string& receiver) const {
        return std::any_of(of_.steps.begin(), of_.steps.end(), [&](const auto& step) {
            return step.from == receiver || step.to == receiver || is_about(step, receiver);
        });
    }
    static bool is_about(const feed::message_step& step, const std::string& receiver) {
        const std::string about = " for " + receiver;
        const std::size_t at = step.text.find(about);
        return step.from == step.to && at != std::string::npos &&
               (at + about.size() == step.text.size() || step.text[at + about.size()] == ':');
    }

    bool is_broker(const std::string& name) const {
        for (std::size_t i = out_.brokers_from; i < out_.receivers_from; ++i) {
            if (out_.columns[i] == name) {
                return true;
            }
        }
        return false;
    }
    std::size_t column_of(const std::string& name, bool way_in) const {
        if (is_broker(name) || !way_in) {
            const std::size_t from = is_broker(name) ? out_.brokers_from : out_.receivers_from;
            for (std::size_t i = from; i < out_.columns.size(); ++i) {
                if (out_.columns[i] == name) {
                    return i;
                }
            }
        }
        return 0;
    }

    std::size_t left_out() const {
        std::size_t shown = 0;
        for (const feed::delivery_row& each : of_.deliveries) {
            shown += has_steps(each.receiver) ? 1 : 0;
        }
        const std::size_t all =
            std::max<std::size_t>(of_.message.deliveries, of_.deliveries.size());
        return all - std::min(all, shown);
    }

    std::optional<std::size_t> delivery_of(const feed::message_step& step, bool way_in) const {
        for (std::size_t i = 0; i < of_.deliveries.size(); ++i) {
            const std::string& name = of_.deliveries[i].receiver;
            const bool is_arrow = step.from != step.to;
            if (is_arrow ? !way_in && (step.from == name || step.to == name)
                         : is_about(step, name)) {
                return i;
            }
        }
        return std::nullopt;
    }

    void place() {
        const double gap = gap_from(of_.steps);
        double y = 1;
        std::vector<double> heights;
        for (std::size_t i = 0; i < of_.steps.size(); ++i) {
            const feed::message_step& step = of_.steps[i];
            if (i > 0) {
                const double distance = step.at - of_.steps[i - 1].at;
                if (distance > gap) {
                    sequence_line& line = out_.lines.emplace_back();
                    line.what = sequence_line::kind::gap;
                    line.y = line.y_end = y - lines_of_step / 2 + lines_of_gap / 2;
                    line.words = plot::duration_words(distance) + " later";
                    y += lines_of_gap;
                }
            }
            heights.push_back(y);
            add(step, y);
            y += lines_of_step;
        }
        out_.height = y;
        std::size_t step = 0;
        for (sequence_line& line : out_.lines) {
            if (line.what == sequence_line::kind::gap) {
                continue;
            }
            line.y_end = end_of(of_.steps[step], line.y, heights);
            ++step;
        }
    }

    void add(const feed::message_step& step, double y) {
        sequence_line& line = out_.lines.emplace_back();
        const bool is_note = step.from == step.to;
        const bool way_in = is_way_in(step, is_broker(step.from));
        line.what = is_note ? sequence_line::kind::note : sequence_line::kind::arrow;
        line.y = y;
        line.from = column_of(step.from, way_in);
        line.to = column_of(step.to, way_in);
        line.look = step.lost       ? arrow_look::lost
                    : step.dup      ? arrow_look::again
                    : step.inferred ? arrow_look::inferred
                                    : arrow_look::seen;
        line.is_bad = step.lost;
        line.words = is_note ? step.text : step.packet + (step.dup ? " DUP" : "");
        line.time = plot::time_words(step.at, 0.0001);
        if (!is_note && step.arrived && *step.arrived > step.at) {
            line.took = plot::duration_words(*step.arrived - step.at);
        }
        line.delivery = delivery_of(step, way_in);
    }

    /// Where an arrow arrives: at the height of that instant.
    double end_of(const feed::message_step& step, double y,
                  const std::vector<double>& heights) const {
        if (step.from == step.to || !step.arrived) {
            return y + (step.from == step.to ? 0 : lines_of_step / 4);
        }
        const auto next = std::lower_bound(
            of_.steps.begin(), of_.steps.end(), *step.arrived,
            [](const feed::message_step& each, double at) { return each.at < at; });
        const auto place = static_cast<std::size_t>(next - of_.steps.begin());
        double end = y;
        if (next == of_.steps.end()) {
            end = heights.back() + lines_of_step / 2;
        } else if (place > 0) {
            const double before = of_.steps[place - 1].at;
            const double share = (*step.arrived - before) / (next->at - before);
            end = heights[place - 1] + share * (heights[place] - heights[place - 1]);
        }
        return std::max(y, end);
    }

    const feed::message_answer& of_;
    sequence out_{};
};

}  // namespace

sequence lay_out_sequence(const feed::message_answer& of) { return layout_of_steps(of).make(); }

}  // namespace fleetarium::dashboard
