#include <fleetarium/recording/metrics_by_second.hpp>

namespace fleetarium::recording {

metrics_by_second::metrics_by_second(database& to, viewpoint from)
    : viewpoint_(from),
      add_metrics_(to, "INSERT OR REPLACE INTO metrics VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      add_gauges_(to, "INSERT OR REPLACE INTO gauges VALUES(?1, ?2, ?3)") {}

void metrics_by_second::write(const gauges& now) {
    if (second_ < 0) {
        return;
    }
    for (std::size_t qos = 0; qos < 3; ++qos) {
        latency_histogram& latency = latency_[qos];
        if (published_[qos] == 0 && delivered_[qos] == 0 && dropped_[qos] == 0) {
            continue;
        }
        add_metrics_.bind(1, second_)
            .bind(2, static_cast<std::int64_t>(qos))
            .bind(3, static_cast<std::int64_t>(published_[qos]));
        if (viewpoint_ == viewpoint::subscriber) {
            add_metrics_.bind_null(4).bind_null(5);
        } else {
            add_metrics_.bind(4, static_cast<std::int64_t>(delivered_[qos]))
                .bind(5, static_cast<std::int64_t>(dropped_[qos]));
        }
        if (latency.empty()) {
            add_metrics_.bind_null(6).bind_null(7);
        } else {
            add_metrics_.bind(6, std::int64_t{latency.percentile(50).count()})
                .bind(7, std::int64_t{latency.percentile(99).count()});
            latency.clear();
        }
        add_metrics_.run();
    }
    published_ = delivered_ = dropped_ = {};
    if (viewpoint_ == viewpoint::subscriber) {
        return;
    }
    add_gauges_.bind(1, second_)
        .bind(2, static_cast<std::int64_t>(now.connected))
        .bind(3, static_cast<std::int64_t>(now.under_way))
        .run();
}

}  // namespace fleetarium::recording
