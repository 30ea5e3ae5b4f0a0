#pragma once

#include <fleetarium/broker/hooks.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fleetarium::broker {

/// By which number an embedder knows the client of a connection or session: for hooks, as most
/// events name only these. Thread rule: that of the hooks.
class client_numbers {
public:
    static constexpr std::uint32_t nobody = 0xFFFF'FFFF;

    std::uint32_t of(connection_id connection) const { return at(by_connection_, connection); }
    /// Of the connection where there is one, else of the session.
    std::uint32_t of(const broker_event& event) const {
        return event.connection != no_connection ? at(by_connection_, event.connection)
                                                 : at(by_session_, event.session);
    }

    /// Whose connection was accepted or refused: `nobody` did not come as far as a client id.
    void meet(const broker_event& event, std::uint32_t client) {
        put(by_connection_, event.connection, client);
        if (event.what == broker_event::kind::connected) {
            put(by_session_, event.session, client);
        }
    }
    void forget_session(session_index ended) {
        if (ended < by_session_.size()) {
            by_session_[ended] = nobody;
        }
    }

private:
    static std::uint32_t at(const std::vector<std::uint32_t>& in, std::uint32_t index) {
        return index < in.size() ? in[index] : nobody;
    }
    static void put(std::vector<std::uint32_t>& in, std::uint32_t index, std::uint32_t client) {
        if (index >= in.size()) {
            in.resize(index + std::size_t{1}, nobody);
        }
        in[index] = client;
    }

    std::vector<std::uint32_t> by_connection_;
    std::vector<std::uint32_t> by_session_;
};

}  // namespace fleetarium::broker
