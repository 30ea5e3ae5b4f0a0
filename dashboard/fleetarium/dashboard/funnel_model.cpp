#include <fleetarium/dashboard/funnel_model.hpp>

#include <algorithm>

namespace fleetarium::dashboard {

namespace {

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

}  // namespace

std::vector<funnel_step_row> funnel_of(const feed::totals& all, std::uint8_t qos) {
    const feed::qos_totals& of = all.qos.at(qos);
    std::vector<funnel_step_row> out;
    out.push_back({funnel_step::published, "Published", of.published, {}});
    out.push_back({funnel_step::routed,
                   "Routed",
                   of.routed,
                   {{"nobody subscribed, or refused", {}, less(of.published, of.routed)}}});
    out.push_back({funnel_step::deliveries, "Deliveries", of.deliveries, {}});
    out.push_back(
        {funnel_step::sent,
         "Sent",
         of.sent,
         {{"dropped by the broker", "dropped", of.dropped},
          {"waiting, or under way", {}, less(less(of.deliveries, of.dropped), of.sent)}}});
    out.push_back({funnel_step::delivered, "Delivered", of.delivered, {}});
    if (qos == 0) {
        out.back().losses.push_back({"lost with a broken link", "lost", of.lost});
    } else {
        out.push_back({funnel_step::acknowledged,
                       "Acknowledged",
                       of.acknowledged,
                       {{"not acknowledged yet", {}, less(of.delivered, of.acknowledged)}}});
    }
    return out;
}

std::vector<funnel_step_row> publisher_funnel(const feed::totals& all) {
    if (all.published_by_devices == 0) {
        return {};
    }
    std::uint64_t had = 0;
    for (const feed::qos_totals& each : all.qos) {
        had += each.published;
    }
    const feed::publisher_losses& lost = all.losses;
    return {{funnel_step::due, "Due at devices", all.published_by_devices, {}},
            {funnel_step::published,
             "Had by a broker",
             had,
             {{"not connected, QoS 0", {}, lost.offline},
              {"the device's queue was full", {}, lost.queue_full},
              {"rejected", {}, lost.rejected},
              {"lost on a broken link, QoS 0", {}, lost.lost_on_link},
              {"expired", {}, lost.expired},
              {"the session had ended", {}, lost.session_ended}}}};
}

std::vector<lost_part> losses_of(const feed::totals& all,
                                 std::span<const std::string> drop_reasons) {
    std::vector<lost_part> out;
    for (std::size_t i = 0; i < all.dropped.size() && i < drop_reasons.size(); ++i) {
        if (all.dropped[i] > 0) {
            out.push_back({drop_reasons[i], drop_reasons[i], all.dropped[i]});
        }
    }
    const std::uint64_t lost = all.qos[0].lost + all.qos[1].lost + all.qos[2].lost;
    if (lost > 0) {
        out.push_back({"lost with a broken link", "lost", lost});
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const lost_part& a, const lost_part& b) { return a.count > b.count; });
    return out;
}

}  // namespace fleetarium::dashboard
