#include <fleetarium/net/system_random.hpp>

#include <openssl/rand.h>

#include <stdexcept>

namespace fleetarium::net {

void fill_with_system_random(void* bytes, std::size_t size) {
    if (RAND_bytes(static_cast<unsigned char*>(bytes), static_cast<int>(size)) != 1) {
        throw std::runtime_error("the system gives no random numbers");
    }
}

std::uint64_t system_random_number() {
    std::uint64_t number = 0;
    fill_with_system_random(&number, sizeof number);
    return number;
}

}  // namespace fleetarium::net
