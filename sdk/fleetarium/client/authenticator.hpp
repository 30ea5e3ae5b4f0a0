#pragma once

#include <fleetarium/core/bytes.hpp>

#include <optional>
#include <string>

namespace fleetarium {

/// The client's side of enhanced authentication (MQTT 5 section 4.12), for example SCRAM: begun
/// with CONNECT, and again by client::async_reauthenticate.
///
/// Order of calls in each exchange: `begin`, `answer` for each challenge, `finish`; it may break
/// off anywhere, and then the next call is `begin`.
/// Thread rule: called on the environment's executor, from inside the client, which may not be
/// called back.
class authenticator {
public:
    virtual ~authenticator() = default;

    /// The name that both sides know the method by. The same in each call.
    virtual std::string method() const = 0;

    /// The data of CONNECT, or of the AUTH that begins a re-authentication; empty is none.
    virtual std::string begin() = 0;

    /// The answer to a challenge of the server, or none if the server is not to be trusted: then
    /// the connection is closed and the client stops with authentication_failed.
    virtual std::optional<std::string> answer(bytes_view challenge) = 0;

    /// The server has accepted; `data` is what it sent with that (SCRAM: its own proof). False if
    /// it is not to be trusted, as above.
    virtual bool finish(bytes_view data) {
        static_cast<void>(data);
        return true;
    }
};

}  // namespace fleetarium
