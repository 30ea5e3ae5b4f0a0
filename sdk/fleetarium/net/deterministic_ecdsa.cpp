#include <fleetarium/net/deterministic_ecdsa.hpp>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <memory>
#include <new>

namespace fleetarium::net {

namespace {

using number = deterministic_key::number;

struct deleter {
    void operator()(BIGNUM* held) const { BN_free(held); }
    void operator()(BN_CTX* held) const { BN_CTX_free(held); }
    void operator()(EC_GROUP* held) const { EC_GROUP_free(held); }
    void operator()(EC_POINT* held) const { EC_POINT_free(held); }
    void operator()(EVP_MD* held) const { EVP_MD_free(held); }
    void operator()(EVP_MD_CTX* held) const { EVP_MD_CTX_free(held); }
};
template <class T>
using owned = std::unique_ptr<T, deleter>;

/// These calls on valid numbers fail for want of memory only.
void require(bool worked) {
    if (!worked) {
        throw std::bad_alloc();
    }
}

/// What is dear to set up, once per thread.
struct workshop {
    workshop()
        : group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)),
          context(BN_CTX_new()),
          digest(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
          hasher(EVP_MD_CTX_new()) {
        require(group != nullptr && context != nullptr && digest != nullptr && hasher != nullptr);
        order = EC_GROUP_get0_order(group.get());
    }

    void begin_hash() { require(EVP_DigestInit_ex2(hasher.get(), digest.get(), nullptr) == 1); }
    void hash(bytes_view bytes) {
        require(EVP_DigestUpdate(hasher.get(), bytes.data(), bytes.size()) == 1);
    }
    number end_hash() {
        number made{};
        require(EVP_DigestFinal_ex(hasher.get(), made.data(), nullptr) == 1);
        return made;
    }

    owned<EC_GROUP> group;
    owned<BN_CTX> context;
    owned<EVP_MD> digest;
    owned<EVP_MD_CTX> hasher;
    const BIGNUM* order = nullptr;
};

workshop& workshop_of_thread() {
    thread_local workshop one;
    return one;
}

owned<BIGNUM> to_bignum(const number& from) {
    owned<BIGNUM> made(BN_bin2bn(from.data(), static_cast<int>(from.size()), nullptr));
    require(made != nullptr);
    return made;
}

owned<BIGNUM> new_bignum() {
    owned<BIGNUM> made(BN_new());
    require(made != nullptr);
    return made;
}

number to_number(const BIGNUM* from) {
    number made{};
    require(BN_bn2binpad(from, made.data(), static_cast<int>(made.size())) ==
            static_cast<int>(made.size()));
    return made;
}

/// HMAC-SHA-256 of the concatenated parts.
template <class... Parts>
number hmac(workshop& with, const number& key, const Parts&... parts) {
    std::array<std::uint8_t, 64> pad{};
    std::copy(key.begin(), key.end(), pad.begin());
    for (std::uint8_t& byte : pad) {
        byte ^= 0x36;
    }
    with.begin_hash();
    with.hash(pad);
    (with.hash(parts), ...);
    const number inner = with.end_hash();
    for (std::uint8_t& byte : pad) {
        byte ^= 0x36 ^ 0x5c;
    }
    with.begin_hash();
    with.hash(pad);
    with.hash(inner);
    return with.end_hash();
}

/// The nonces of RFC 6979, section 3.2, for a hash as long as the order.
class nonces {
public:
    nonces(workshop& with, const number& private_key, const number& reduced_hash) : with_(with) {
        value_.fill(1);
        constexpr std::array<std::uint8_t, 1> zero{0};
        constexpr std::array<std::uint8_t, 1> one{1};
        key_ = hmac(with_, key_, value_, zero, private_key, reduced_hash);
        value_ = hmac(with_, key_, value_);
        key_ = hmac(with_, key_, value_, one, private_key, reduced_hash);
        value_ = hmac(with_, key_, value_);
    }

    number next() {
        if (taken_) {
            constexpr std::array<std::uint8_t, 1> zero{0};
            key_ = hmac(with_, key_, value_, zero);
            value_ = hmac(with_, key_, value_);
        }
        taken_ = true;
        value_ = hmac(with_, key_, value_);
        return value_;
    }

private:
    workshop& with_;
    number key_{};
    number value_{};
    bool taken_ = false;
};

/// `scalar` times the generator.
owned<EC_POINT> times_generator(workshop& with, const BIGNUM* scalar) {
    owned<EC_POINT> made(EC_POINT_new(with.group.get()));
    require(made != nullptr && EC_POINT_mul(with.group.get(), made.get(), scalar, nullptr, nullptr,
                                            with.context.get()) == 1);
    return made;
}

}  // namespace

number sha256(bytes_view bytes) {
    workshop& with = workshop_of_thread();
    with.begin_hash();
    with.hash(bytes);
    return with.end_hash();
}

deterministic_key::deterministic_key(const number& secret) {
    workshop& with = workshop_of_thread();
    // 1 to order - 1.
    const owned<BIGNUM> scalar = to_bignum(secret);
    const owned<BIGNUM> range(BN_dup(with.order));
    require(range != nullptr && BN_sub_word(range.get(), 1) == 1 &&
            BN_mod(scalar.get(), scalar.get(), range.get(), with.context.get()) == 1);
    if (BN_is_zero(scalar.get())) {
        require(BN_set_word(scalar.get(), 1) == 1);
    }
    private_key_ = to_number(scalar.get());
    const owned<EC_POINT> point = times_generator(with, scalar.get());
    require(EC_POINT_point2oct(with.group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                               public_key_.data(), public_key_.size(),
                               with.context.get()) == public_key_.size());
}

deterministic_key::signature deterministic_key::sign(bytes_view message) const {
    workshop& with = workshop_of_thread();
    BN_CTX* const context = with.context.get();
    const owned<BIGNUM> hash = to_bignum(sha256(message));
    require(BN_nnmod(hash.get(), hash.get(), with.order, context) == 1);
    const owned<BIGNUM> secret = to_bignum(private_key_);
    const owned<BIGNUM> r = new_bignum();
    const owned<BIGNUM> s = new_bignum();
    const owned<BIGNUM> inverse = new_bignum();
    nonces draws(with, private_key_, to_number(hash.get()));
    while (true) {
        const owned<BIGNUM> nonce = to_bignum(draws.next());
        if (BN_is_zero(nonce.get()) || BN_cmp(nonce.get(), with.order) >= 0) {
            continue;
        }
        const owned<EC_POINT> point = times_generator(with, nonce.get());
        require(EC_POINT_get_affine_coordinates(with.group.get(), point.get(), r.get(), nullptr,
                                                context) == 1 &&
                BN_nnmod(r.get(), r.get(), with.order, context) == 1);
        require(BN_mod_inverse(inverse.get(), nonce.get(), with.order, context) != nullptr &&
                BN_mod_mul(s.get(), r.get(), secret.get(), with.order, context) == 1 &&
                BN_mod_add(s.get(), s.get(), hash.get(), with.order, context) == 1 &&
                BN_mod_mul(s.get(), s.get(), inverse.get(), with.order, context) == 1);
        if (!BN_is_zero(r.get()) && !BN_is_zero(s.get())) {
            return {to_number(r.get()), to_number(s.get())};
        }
    }
}

}  // namespace fleetarium::net
