// Generators that follow physics: batteries, warm rooms, vehicles.

#include <fleetarium/sim/generator_kinds.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace fleetarium::sim::detail {

namespace {

/// State: units of charge, whether it is charging, messages counted, drain at the last moment.
class battery_type final : public generator_type {
public:
    explicit battery_type(const battery_generator& spec)
        : spec_(spec),
          inputs_{{spec.drain}},
          low_(spec.capacity * spec.charge_below / 100),
          high_(spec.capacity * spec.charge_until / 100) {}

    std::span<const generator_field> fields() const override { return fields_; }
    std::size_t state_size() const override { return 4; }
    std::span<const generator_input> inputs() const override { return inputs_; }

    void start(const generator_moment& moment, std::span<double> state) const override {
        auto draws = draws_for(moment.device, generator_draw::value);
        const double percent = spec_.start - spec_.spread * draws.uniform();
        state[0] = spec_.capacity * std::max(percent, 0.0) / 100;
        state[1] = 0;
        state[2] = 0;
        state[3] = moment.inputs[0];
    }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        const auto messages = static_cast<double>(moment.messages);
        state[0] -= spec_.drain_per_message * (messages - state[2]);
        state[2] = messages;
        // A load that has changed: half of the time the one, half the other.
        const double drain = std::max((state[3] + moment.inputs[0]) / 2, 0.0);
        state[3] = moment.inputs[0];
        state[0] = std::max(state[0], 0.0);
        pass(hours_of(moment.elapsed), drain, state);
        const double part = state[0] / spec_.capacity;
        values[0] = part * 100;
        values[1] = state[0];
        values[2] = spec_.volts_empty + part * (spec_.volts_full - spec_.volts_empty);
        values[3] = state[1];
    }

private:
    /// From one turn of the charger to the next, as long as there is time.
    void pass(double hours, double drain, std::span<double> state) const {
        const double gain = spec_.charge - drain;
        for (;;) {
            if (state[1] == 0 && spec_.charge > 0 && state[0] <= low_) {
                state[1] = 1;
            } else if (state[1] != 0 && state[0] >= high_) {
                state[1] = 0;
            }
            const double rate = state[1] != 0 ? gain : -drain;
            const double goal = state[1] != 0 ? high_ : (spec_.charge > 0 ? low_ : 0);
            const double needed = rate == 0 ? hours : (goal - state[0]) / rate;
            // Away from its goal (a charger too weak), or without one in time: straight on.
            if (!(needed > 0 && needed < hours) || state[0] == goal) {
                state[0] = std::clamp(state[0] + rate * hours, 0.0, spec_.capacity);
                return;
            }
            state[0] = goal;
            hours -= needed;
            if (goal == 0) {
                return;  // empty, and nothing charges it
            }
        }
    }

    static constexpr std::array<generator_field, 4> fields_{
        {{.name = "percent", .decimals = 1},
         {.name = "charge", .decimals = 2},
         {.name = "volts", .decimals = 3},
         {.name = "charging", .form = field_form::boolean, .decimals = 0, .measured = false}}};
    battery_generator spec_;
    std::array<generator_input, 1> inputs_;
    double low_;
    double high_;
};

/// State: temperature, whether the heater is on, ambient at the last moment.
class thermal_type final : public generator_type {
public:
    explicit thermal_type(const thermal_generator& spec)
        : spec_(spec),
          inputs_{{spec.ambient}},
          on_below_(spec.setpoint - spec.hysteresis / 2),
          off_above_(spec.setpoint + spec.hysteresis / 2) {}

    std::span<const generator_field> fields() const override { return fields_; }
    std::size_t state_size() const override { return 3; }
    std::span<const generator_input> inputs() const override { return inputs_; }

    void start(const generator_moment& moment, std::span<double> state) const override {
        state[0] = spec_.start.value_or(moment.inputs[0]);
        state[1] = 0;
        state[2] = moment.inputs[0];
    }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        const double ambient = (state[2] + moment.inputs[0]) / 2;
        state[2] = moment.inputs[0];
        // In time constants.
        pass(static_cast<double>(moment.elapsed.count()) /
                 static_cast<double>(spec_.time_constant.count()),
             ambient, state);
        values[0] = state[0];
        values[1] = state[1];
        values[2] = moment.inputs[0];
    }

private:
    /// The temperature nears what it would be in the end as e^-t; the thermostat turns at its two
    /// bounds, whose moments a logarithm gives.
    void pass(double time, double ambient, std::span<double> state) const {
        for (;;) {
            if (state[1] == 0 && spec_.heater > 0 && state[0] <= on_below_) {
                state[1] = 1;
            } else if (state[1] != 0 && state[0] >= off_above_) {
                state[1] = 0;
            }
            const double in_the_end = ambient + (state[1] != 0 ? spec_.heater : 0);
            const double bound = state[1] != 0 ? off_above_ : on_below_;
            const bool turns =
                spec_.heater > 0 && (state[1] != 0 ? in_the_end > bound : in_the_end < bound);
            const double needed =
                turns ? exact_math::log((state[0] - in_the_end) / (bound - in_the_end)) : time;
            if (!(needed < time)) {
                state[0] = in_the_end + (state[0] - in_the_end) * exact_math::exp(-time);
                return;
            }
            state[0] = bound;
            time -= needed;
        }
    }

    static constexpr std::array<generator_field, 3> fields_{
        {{.name = "temperature"},
         {.name = "heating", .form = field_form::boolean, .decimals = 0, .measured = false},
         {.name = "ambient"}}};
    thermal_generator spec_;
    std::array<generator_input, 1> inputs_;
    double on_below_;
    double off_above_;
};

constexpr double pi = 3.141592653589793;
constexpr double earth_radius = 6'371'008.8;  // metres, on average

/// The angle whose tangent is y / x, for 0 <= y <= x, x > 0: by halving, since it is needed once
/// for each leg of a route.
double small_angle(double y, double x) {
    double low = 0;
    double high = pi / 4;
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        if (exact_math::sin(middle) * x < exact_math::cos(middle) * y) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}

/// Degrees clockwise from north, 0..360.
double heading_of(double east, double north) {
    const double a = east < 0 ? -east : east;
    const double b = north < 0 ? -north : north;
    double angle = a <= b ? small_angle(a, b) : pi / 2 - small_angle(b, a);
    if (north < 0) {
        angle = pi - angle;
    }
    if (east < 0) {
        angle = 2 * pi - angle;
    }
    const double degrees = angle * 180 / pi;
    return degrees < 360 ? degrees : 0;
}

double wrapped_longitude(double degrees) {
    return degrees < -180 ? degrees + 360 : degrees > 180 ? degrees - 360 : degrees;
}

/// State: metres gone, speed at the last moment.
class route_type final : public generator_type {
public:
    explicit route_type(const route_generator& spec) : spec_(spec), inputs_{{spec.speed}} {
        const auto& points = spec_.points;
        for (std::size_t i = 0; i + 1 < points.size(); ++i) {
            add_leg(points[i], points[i + 1]);
        }
        if (spec_.end == route_end::loop) {
            add_leg(points.back(), points.front());
        }
    }

    std::span<const generator_field> fields() const override { return fields_; }
    std::size_t state_size() const override { return 2; }
    std::span<const generator_input> inputs() const override { return inputs_; }
    bool has_main_field() const override { return false; }

    void start(const generator_moment& moment, std::span<double> state) const override {
        auto draws = draws_for(moment.device, generator_draw::value);
        state[0] = 0;
        if (spec_.anywhere) {
            state[0] = length_ * draws.uniform() * (spec_.end == route_end::turn ? 2 : 1);
        }
        state[1] = moment.inputs[0];
    }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        const double speed = std::max((state[1] + moment.inputs[0]) / 2, 0.0);
        state[0] += speed * seconds_of(moment.elapsed);
        state[1] = moment.inputs[0];
        double along = state[0];
        bool back = false;
        bool there = false;
        if (spec_.end == route_end::stop) {
            there = along >= length_;
            state[0] = along = std::min(along, length_);
        } else if (spec_.end == route_end::loop) {
            along = remainder_of(along, length_);
        } else {
            along = remainder_of(along, 2 * length_);
            back = along > length_;
            along = back ? 2 * length_ - along : along;
        }
        auto found = std::upper_bound(legs_.begin(), legs_.end(), along,
                                      [](double at, const leg& each) { return at < each.begin; });
        const leg& on = *(found - 1);  // the first begins at 0
        const double part = std::min((along - on.begin) / on.length, 1.0);
        values[0] = on.from.lat + part * on.north;
        values[1] = wrapped_longitude(on.from.lon + part * on.east);
        values[2] = back ? remainder_of(on.heading + 180, 360) : on.heading;
        values[3] = there ? 0 : std::max(moment.inputs[0], 0.0);
        values[4] = state[0];
    }

private:
    struct leg {
        double begin;  // metres from the first point
        double length;
        route_point from;
        double north;  // degrees
        double east;
        double heading;
    };

    void add_leg(const route_point& from, const route_point& to) {
        const double north = to.lat - from.lat;
        const double east = wrapped_longitude(to.lon - from.lon);
        const double middle = (from.lat + to.lat) / 2 * pi / 180;
        const double up = north * pi / 180 * earth_radius;
        const double right = east * pi / 180 * earth_radius * exact_math::cos(middle);
        const double length = std::sqrt(up * up + right * right);
        if (length > 0) {
            legs_.push_back({length_, length, from, north, east, heading_of(right, up)});
            length_ += length;
        }
    }

    static constexpr std::array<generator_field, 5> fields_{
        {{.name = "lat", .decimals = 6, .measured = false},
         {.name = "lon", .decimals = 6, .measured = false},
         {.name = "heading", .decimals = 1, .measured = false},
         {.name = "speed", .decimals = 1},
         {.name = "distance", .decimals = 0, .measured = false}}};
    route_generator spec_;
    std::array<generator_input, 1> inputs_;
    std::vector<leg> legs_;
    double length_ = 0;
};

}  // namespace

std::unique_ptr<const generator_type> make_battery(const battery_generator& spec) {
    return std::make_unique<battery_type>(spec);
}

std::unique_ptr<const generator_type> make_thermal(const thermal_generator& spec) {
    return std::make_unique<thermal_type>(spec);
}

std::unique_ptr<const generator_type> make_route(const route_generator& spec) {
    return std::make_unique<route_type>(spec);
}

}  // namespace fleetarium::sim::detail
