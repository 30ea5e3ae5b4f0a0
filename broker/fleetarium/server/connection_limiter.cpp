#include <fleetarium/server/connection_limiter.hpp>

#include <fleetarium/core/hash.hpp>

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace fleetarium::broker {

namespace {

constexpr duration second = std::chrono::seconds{1};

}  // namespace

std::optional<address_key> address_key_of(std::string_view peer_address) {
    std::string_view host = peer_address.substr(0, peer_address.rfind(':'));
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    boost::system::error_code none;
    const auto address = boost::asio::ip::make_address(host, none);
    if (none) {
        return std::nullopt;
    }
    address_key made;
    const auto use_v4 = [&](const boost::asio::ip::address_v4& v4) {
        const auto bytes = v4.to_bytes();
        std::copy(bytes.begin(), bytes.end(), made.bytes.begin());
    };
    if (address.is_v4()) {
        use_v4(address.to_v4());
    } else if (address.to_v6().is_v4_mapped()) {
        use_v4(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()));
    } else {
        const auto bytes = address.to_v6().to_bytes();
        std::copy_n(bytes.begin(), made.bytes.size(), made.bytes.begin());
        made.is_v6 = true;
    }
    return made;
}

bool token_bucket::take(instant now) {
    if (per_second_ == 0) {
        return true;
    }
    const duration each = second / per_second_;
    const instant from = std::max(full_at_, now);
    if (from + each > now + second) {
        return false;
    }
    full_at_ = from + each;
    return true;
}

connection_limiter::verdict connection_limiter::arrive(const std::optional<address_key>& from,
                                                       instant now) {
    const std::lock_guard alone(mutex_);
    known* by = nullptr;
    // An address is looked at first: what it does beyond its bounds takes nothing from others.
    if (from && bounds_addresses()) {
        forget_some(now);
        by = &by_address_.try_emplace(*from, bounds_.address_rate_max).first->second;
        if (bounds_.address_connections_max != 0 &&
            by->connections >= bounds_.address_connections_max) {
            return verdict::too_many_of_an_address;
        }
        if (!by->bucket.take(now)) {
            return verdict::address_too_fast;
        }
    }
    if (!all_.take(now)) {
        return verdict::too_fast;
    }
    if (by != nullptr && by->connections++ == 0) {
        ++connected_addresses_;
    }
    return verdict::admitted;
}

void connection_limiter::leave(const std::optional<address_key>& from, instant now) {
    if (!from || !bounds_addresses()) {
        return;
    }
    const std::lock_guard alone(mutex_);
    const auto found = by_address_.find(*from);
    if (found == by_address_.end() || --found->second.connections != 0) {
        return;
    }
    --connected_addresses_;
    if (found->second.bucket.is_full(now)) {
        by_address_.erase(found);
    }
}

/// Before one more is added.
void connection_limiter::forget_some(instant now) {
    if (by_address_.size() - connected_addresses_ < idle_addresses_max) {
        return;
    }
    const auto forget = [&](auto is_due) {
        std::erase_if(by_address_, [&](const auto& each) {
            return each.second.connections == 0 && is_due(each.second);
        });
    };
    forget([&](const known& idle) { return idle.bucket.is_full(now); });
    if (by_address_.size() - connected_addresses_ > idle_addresses_max / 2) {
        forget([](const known&) { return true; });
    }
}

std::size_t connection_limiter::addresses() const {
    const std::lock_guard alone(mutex_);
    return by_address_.size();
}

std::size_t connection_limiter::hash_of_key::operator()(const address_key& key) const {
    return static_cast<std::size_t>(hash_bytes(bytes_view(key.bytes.data(), key.bytes.size()))) ^
           static_cast<std::size_t>(key.is_v6);
}

}  // namespace fleetarium::broker
