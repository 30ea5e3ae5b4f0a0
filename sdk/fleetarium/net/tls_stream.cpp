#include <fleetarium/net/tls_stream.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/deadline.hpp>

#include <boost/asio/error.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace fleetarium::net {

namespace {

constexpr std::size_t record_bytes_max = SSL3_RT_MAX_PLAIN_LENGTH;

/// Memory for decrypted bytes, shared by all streams of a thread: they are told before the event
/// that brought them returns.
class plain_bytes {
public:
    /// At least `record_bytes_max` to write to.
    std::uint8_t* space() {
        if (capacity_ - size_ < record_bytes_max) {
            const std::size_t larger = std::max(2 * capacity_, std::size_t{64} * 1024);
            auto grown = std::make_unique_for_overwrite<std::uint8_t[]>(larger);
            if (size_ != 0) {
                std::memcpy(grown.get(), bytes_.get(), size_);
            }
            bytes_ = std::move(grown);
            capacity_ = larger;
        }
        return bytes_.get() + size_;
    }
    void add(std::size_t count) { size_ += count; }
    bytes_view view() const { return {bytes_.get(), size_}; }

    /// Empty again. What one large chunk needed is not kept for ever.
    void reset() {
        size_ = 0;
        if (capacity_ > (std::size_t{1} << 20)) {
            bytes_.reset();
            capacity_ = 0;
        }
    }

    bool in_use = false;

private:
    std::unique_ptr<std::uint8_t[]> bytes_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
};

plain_bytes& plain_bytes_of_thread() {
    thread_local plain_bytes one;
    return one;
}

/// The thread's memory, or memory of its own where an event of another stream is still under way
/// (TLS on top of TLS; an event that runs the event loop).
class plain_bytes_lease {
public:
    plain_bytes_lease() : taken_(&plain_bytes_of_thread()) {
        if (taken_->in_use) {
            own_ = std::make_unique<plain_bytes>();
            taken_ = own_.get();
        }
        taken_->in_use = true;
    }
    plain_bytes_lease(const plain_bytes_lease&) = delete;
    plain_bytes_lease& operator=(const plain_bytes_lease&) = delete;
    ~plain_bytes_lease() {
        taken_->reset();
        taken_->in_use = false;
    }
    plain_bytes& operator*() const { return *taken_; }
    plain_bytes* operator->() const { return taken_; }

private:
    std::unique_ptr<plain_bytes> own_;
    plain_bytes* taken_;
};

/// What a stream and OpenSSL exchange: bytes that came, bytes to send.
struct exchange {
    bytes_view input{};
    wire_buffer output{};
};

int read_input(BIO* bio, char* to, std::size_t wanted, std::size_t* read) {
    auto& with = *static_cast<exchange*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const std::size_t count = std::min(wanted, with.input.size());
    *read = count;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    std::memcpy(to, with.input.data(), count);
    with.input = with.input.subspan(count);
    return 1;
}

int write_output(BIO* bio, const char* from, std::size_t count, std::size_t* written) {
    auto& with = *static_cast<exchange*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    with.output.append({reinterpret_cast<const std::uint8_t*>(from), count});
    *written = count;
    return 1;
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* exchange_method() {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* const made =
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "carrier");
        if (made == nullptr) {
            throw std::bad_alloc();
        }
        BIO_meth_set_read_ex(made, read_input);
        BIO_meth_set_write_ex(made, write_output);
        BIO_meth_set_ctrl(made, control);
        return made;
    }();
    return method;
}

struct ssl_deleter {
    void operator()(SSL* held) const { SSL_free(held); }
};

bool is_ip_address(const std::string& host) {
    ASN1_OCTET_STRING* const address = a2i_IPADDRESS(host.c_str());
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != nullptr;
}

/// The first Common Name; empty if there is none, or one with a zero byte in it, which reads
/// differently here and there.
std::string common_name(const X509* certificate) {
    const X509_NAME* const subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) {
        return {};
    }
    unsigned char* text = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) {
        ERR_clear_error();
        return {};
    }
    std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
    return name.find('\0') == std::string::npos ? name : std::string();
}

/// OpenSSL sees a pair of memory buffers. Input is pushed through it within the carrier's event,
/// so nothing of it stays behind but half a record; output is gathered and given to the carrier
/// once per event or write.
class tls_stream final : public byte_stream, private byte_stream::events {
public:
    using events = byte_stream::events;

    tls_stream(std::unique_ptr<byte_stream> carrier, const boost::asio::any_io_executor& executor,
               const tls_context& context, tls_role role)
        : carrier_(std::move(carrier)), executor_(executor), context_(context), role_(role) {
        FLEETARIUM_ASSERT(context);
    }

    /// A client's side: whom to ask for and to expect.
    void expect(const std::string& host) {
        make_ssl();
        std::string name = host.substr(0, host.find('%'));  // an IPv6 zone is this machine's affair
        X509_VERIFY_PARAM* const checks = SSL_get0_param(ssl_.get());
        X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        bool set = false;
        if (is_ip_address(name)) {
            set = X509_VERIFY_PARAM_set1_ip_asc(checks, name.c_str()) == 1;
        } else {
            if (!name.empty() && name.back() == '.') {
                name.pop_back();  // certificates and SNI name hosts without it
            }
            set = SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) == 1 &&
                  X509_VERIFY_PARAM_set1_host(checks, name.c_str(), name.size()) == 1;
        }
        unusable_host_ = name.empty() || !set;
        ERR_clear_error();
    }

    void start(events& to) override {
        to_ = &to;
        carrier_->start(*this);
        if (role_ == tls_role::client) {
            if (unusable_host_ && context_.options().verify_peer) {
                fail(make_verify_error(X509_V_ERR_HOSTNAME_MISMATCH));
                return;
            }
            shake_hands();
            send_output();
        }
    }

    void write(wire_buffer bytes) override {
        if (state_ == state::ended || leaving_ || bytes.empty()) {
            return;
        }
        if (state_ == state::handshake) {
            kept_.append(std::move(bytes));
            return;
        }
        encrypt(bytes);
        send_output();
        finish_failure();
    }

    std::size_t backlog() const override { return kept_.size() + carrier_->backlog(); }

    void pause_reading() override { carrier_->pause_reading(); }
    void resume_reading() override { carrier_->resume_reading(); }

    void close() override {
        if (state_ == state::ended || leaving_) {
            return;
        }
        leaving_ = true;
        if (state_ == state::open) {
            say_farewell();
        } else if (!kept_.empty() && to_ != nullptr) {
            carrier_->resume_reading();  // what was written goes out after the handshake
            deadline_.start(executor_, close_timeout, [this] { cut_off(); });
        } else {
            end();
        }
    }

    void abort() noexcept override {
        state_ = state::ended;
        to_ = nullptr;
        kept_.clear();
        deadline_.cancel();
        carrier_->abort();
    }

    peer_facts peer() const override {
        peer_facts facts = carrier_->peer();
        if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) != 0 &&
            SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE &&
            SSL_get_verify_result(ssl_.get()) == X509_V_OK) {
            const X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
            if (certificate != nullptr) {
                facts.certificate_subject = common_name(certificate);
            }
        }
        return facts;
    }

private:
    enum class state : std::uint8_t { handshake, open, ended };

    void make_ssl() {
        ssl_.reset(SSL_new(context_.native_handle()));
        BIO* const bio = BIO_new(exchange_method());
        if (ssl_ == nullptr || bio == nullptr) {
            BIO_free(bio);
            throw std::bad_alloc();
        }
        BIO_set_data(bio, &exchange_);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl_.get(), bio, bio);
        if (role_ == tls_role::server) {
            SSL_set_accept_state(ssl_.get());
        } else {
            SSL_set_connect_state(ssl_.get());
        }
    }

    void on_bytes(bytes_view bytes) override {
        if (state_ == state::ended || bytes.empty()) {
            return;
        }
        if (!peer_spoke_) {
            peer_spoke_ = true;
            if (!check_first_bytes(bytes)) {
                return;
            }
            if (ssl_ == nullptr) {
                make_ssl();  // a server's: whoever connects and says nothing costs nothing
            }
        }
        exchange_.input = bytes;
        const bool was_open = state_ == state::open;
        if (!was_open && !shake_hands()) {
            exchange_.input = {};
            send_output();
            return;
        }
        const plain_bytes_lease plain;
        decrypt(*plain);
        exchange_.input = {};
        if (was_open) {
            count_unasked_output();
        }
        const bool drained = flush_kept();
        send_output();
        if (leaving_ && !failure_) {
            say_farewell();  // the handshake was all that it waited for
        }
        if (!plain->view().empty() && state_ == state::open) {
            to_->on_bytes(plain->view());
        }
        if (drained && state_ == state::open && backlog() == 0) {
            to_->on_drained();
        }
        if (farewell_ && state_ == state::open) {
            say_farewell();
        }
        finish_failure();
    }

    void on_drained() override {
        if (to_ != nullptr && kept_.empty()) {
            to_->on_drained();
        }
    }

    void on_closed(boost::system::error_code why) override {
        if (failure_) {
            why = failure_;
        } else if (leaving_ && why == boost::asio::error::eof) {
            why = {};  // both ends have closed; whose end is told first does not matter
        } else if (farewell_ && !leaving_) {
            why = boost::asio::error::eof;
        } else if (state_ == state::handshake && !leaving_) {
            why = make_error_code(tls_error::closed_in_handshake);
        }
        deadline_.cancel();
        kept_.clear();
        state_ = state::ended;
        if (events* const to = std::exchange(to_, nullptr)) {
            to->on_closed(why);  // may destroy this
        }
    }

    /// Tells what else than TLS a peer speaks; the handshake's error would say little.
    bool check_first_bytes(bytes_view bytes) {
        constexpr std::uint8_t alert = 21;
        constexpr std::uint8_t handshake = 22;
        constexpr std::uint8_t mqtt_connect = 0x10;
        constexpr std::uint8_t mqtt_connack = 0x20;
        if (bytes[0] == handshake || bytes[0] == alert) {
            return true;
        }
        if (bytes[0] == mqtt_connect || bytes[0] == mqtt_connack) {
            fail(tls_error::mqtt_without_tls);
            return false;
        }
        for (const char* const word : {"GET ", "HEAD", "POST", "PUT ", "OPTI", "HTTP", "CONN"}) {
            const std::string_view start(word, 4);
            if (start.starts_with(as_text(bytes).substr(0, 4))) {
                if (role_ == tls_role::server) {
                    constexpr std::string_view answer =
                        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                        "Content-Type: text/plain\r\nContent-Length: 34\r\n\r\n"
                        "This port speaks TLS: use https.\r\n";
                    exchange_.output.append(as_bytes_view(answer));
                }
                fail(tls_error::http_without_tls);
                return false;
            }
        }
        fail(tls_error::not_tls);
        return false;
    }

    /// Whether the handshake is done now.
    bool shake_hands() {
        ERR_clear_error();
        const int result = SSL_do_handshake(ssl_.get());
        if (result == 1) {
            state_ = state::open;
            return true;
        }
        if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
            fail_by_openssl();
        }
        return false;
    }

    /// All that has come, as far as it makes whole records.
    void decrypt(plain_bytes& into) {
        while (true) {
            std::size_t count = 0;
            ERR_clear_error();
            const int result = SSL_read_ex(ssl_.get(), into.space(), record_bytes_max, &count);
            if (result == 1) {
                into.add(count);
                continue;
            }
            const int error = SSL_get_error(ssl_.get(), result);
            if (error == SSL_ERROR_ZERO_RETURN) {
                farewell_ = true;
            } else if (error != SSL_ERROR_WANT_READ) {
                note_openssl_failure();
            }
            return;
        }
    }

    /// Records as full as can be: what is in small parts is gathered first.
    void encrypt(const wire_buffer& bytes) {
        if (const bytes_view whole = bytes.contiguous(); !whole.empty()) {
            encrypt(whole);
            return;
        }
        thread_local std::uint8_t gathered[record_bytes_max];
        std::size_t size = 0;
        bytes.for_each_part([this, &size](bytes_view part) {
            if (size == 0 && part.size() > record_bytes_max) {
                const bytes_view full = part.first(part.size() - part.size() % record_bytes_max);
                encrypt(full);
                part = part.subspan(full.size());
            }
            while (!part.empty()) {
                const std::size_t count = std::min(part.size(), record_bytes_max - size);
                std::memcpy(gathered + size, part.data(), count);
                size += count;
                part = part.subspan(count);
                if (size == record_bytes_max) {
                    encrypt(bytes_view{gathered, std::exchange(size, 0)});
                }
            }
        });
        encrypt(bytes_view{gathered, size});
    }

    void encrypt(bytes_view bytes) {
        if (bytes.empty() || failure_) {
            return;
        }
        std::size_t written = 0;
        ERR_clear_error();
        // The output takes all at once, so a write is whole or has failed.
        if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) != 1) {
            note_openssl_failure();
        }
    }

    /// What was written before the handshake was done. Whether there was any.
    bool flush_kept() {
        if (kept_.empty() || state_ != state::open) {
            return false;
        }
        encrypt(std::exchange(kept_, {}));
        return true;
    }

    /// Some messages of TLS make the peer's OpenSSL answer: renegotiation of 1.2, for one. Who
    /// only asks and never reads would fill the carrier's backlog.
    void count_unasked_output() {
        constexpr std::size_t bytes_max = 16 * 1024;
        if (exchange_.output.empty() || failure_) {
            return;
        }
        unasked_bytes_ += exchange_.output.size();
        if (unasked_bytes_ > bytes_max) {
            failure_ = tls_error::unasked_output;
        }
    }

    void send_output() {
        if (!exchange_.output.empty()) {
            carrier_->write(std::exchange(exchange_.output, {}));
        }
    }

    void note_openssl_failure() {
        if (failure_) {
            return;
        }
        const long checked = SSL_get_verify_result(ssl_.get());
        const bool is_check = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL &&
                              ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
        failure_ =
            is_check && checked != X509_V_OK ? make_verify_error(checked) : take_openssl_error();
        ERR_clear_error();
    }

    void fail_by_openssl() {
        note_openssl_failure();
        finish_failure();
    }

    void fail(boost::system::error_code why) {
        failure_ = why;
        finish_failure();
    }

    /// The carrier is closed in order, so that an alert reaches the peer; its end is told then.
    void finish_failure() {
        if (failure_ && state_ != state::ended) {
            send_output();
            end();
        }
    }

    /// Writes our farewell; the peer's is not awaited.
    void say_farewell() {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        send_output();
        end();
    }

    void end() {
        state_ = state::ended;
        kept_.clear();
        deadline_.cancel();
        carrier_->close();
    }

    /// The peer does not finish the handshake that `close` waits for.
    void cut_off() {
        events* const to = to_;
        abort();
        to->on_closed(boost::asio::error::timed_out);  // may destroy this
    }

    exchange exchange_;
    std::unique_ptr<byte_stream> carrier_;
    boost::asio::any_io_executor executor_;
    tls_context context_;
    std::unique_ptr<SSL, ssl_deleter> ssl_;
    events* to_ = nullptr;
    wire_buffer kept_;  // plain, until the handshake is done
    boost::system::error_code failure_;
    deadline deadline_;  // of a handshake, when closing waits for it
    std::size_t unasked_bytes_ = 0;
    tls_role role_;
    state state_ = state::handshake;
    bool peer_spoke_ = false;
    bool farewell_ = false;  // the peer's
    bool leaving_ = false;   // `close` was called
    bool unusable_host_ = false;
};

}  // namespace

std::unique_ptr<byte_stream> make_tls_server_stream(std::unique_ptr<byte_stream> carrier,
                                                    const boost::asio::any_io_executor& executor,
                                                    const tls_context& context) {
    return std::make_unique<tls_stream>(std::move(carrier), executor, context, tls_role::server);
}

std::unique_ptr<byte_stream> make_tls_client_stream(std::unique_ptr<byte_stream> carrier,
                                                    const boost::asio::any_io_executor& executor,
                                                    const tls_context& context,
                                                    const std::string& host) {
    auto made =
        std::make_unique<tls_stream>(std::move(carrier), executor, context, tls_role::client);
    const std::string& other = context.options().server_name;
    made->expect(other.empty() ? host : other);
    return made;
}

}  // namespace fleetarium::net
