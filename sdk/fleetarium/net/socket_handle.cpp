#include <fleetarium/net/socket_handle.hpp>

#include <unistd.h>

namespace fleetarium::net {

socket_handle::~socket_handle() {
    if (socket_ != none) {
        ::close(socket_);
    }
}

}  // namespace fleetarium::net
