#include <fleetarium/server/http_exchange.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace fleetarium::broker {

namespace {

namespace http = boost::beast::http;

std::string_view view_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// Compares every byte, wherever the first difference is: time tells nothing of the token.
bool is_same_secret(std::string_view given, std::string_view expected) {
    unsigned difference = given.size() == expected.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const char other = expected.empty() ? '\0' : expected[i % expected.size()];
        difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(other);
    }
    return difference == 0;
}

bool has_right_token(std::string_view authorization, std::string_view token) {
    constexpr std::string_view kind = "bearer ";
    return authorization.size() > kind.size() &&
           boost::beast::iequals({authorization.data(), kind.size()}, {kind.data(), kind.size()}) &&
           is_same_secret(authorization.substr(kind.size()), token);
}

bool is_loopback_host(std::string_view host) {
    if (host.starts_with("[::1]")) {
        return host.size() == 5 || host[5] == ':';
    }
    host = host.substr(0, host.find(':'));
    const bool is_address =
        host.starts_with("127.") && std::all_of(host.begin(), host.end(), [](char each) {
            return each == '.' || (each >= '0' && each <= '9');
        });
    return is_address || boost::beast::iequals({host.data(), host.size()}, "localhost");
}

/// "https://example.org:8443" is a page of "example.org:8443"; "null" is one of nobody.
std::string_view host_of_origin(std::string_view origin) {
    const std::size_t scheme_end = origin.find("://");
    return scheme_end == std::string_view::npos ? origin : origin.substr(scheme_end + 3);
}

/// Of the first bytes of a connection that cannot be the begin of a request; empty if they can.
std::string describe_foreign(std::string_view input) {
    const auto first = static_cast<unsigned char>(input.front());
    const bool letter = (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
    if (letter || first == '\r' || first == '\n') {
        return {};
    }
    if (first == 0x10) {
        return "This is the HTTP port of a Fleetarium broker, and what came is an MQTT CONNECT. "
               "MQTT clients connect to the URLs that the broker printed after \"listening on\".\n";
    }
    if (first == 0x16) {
        return "This is the HTTP port of a Fleetarium broker, and what came is a TLS handshake. "
               "Use http:// here, not https://.\n";
    }
    return "This is the HTTP port of a Fleetarium broker, and what came is no HTTP: a request "
           "such as GET /health HTTP/1.1 was expected.\n";
}

}  // namespace

class http_exchange::implementation {
public:
    explicit implementation(const http_service& service) : service_(service) {}

    void refuse_busy() {
        fail(503, "There are too many connections to this server. Close some, or try again.\n");
    }

    void handle_bytes(bytes_view bytes) {
        if (closing_) {
            return;  // what comes after the last answer is not looked at
        }
        input_.append(as_text(bytes));
        work();
    }

    void handle_written() {
        blocked_ = false;
        work();
    }

    void handle_timeout() {
        if (is_idle()) {
            closing_ = true;
        } else if (!closing_) {
            fail(408, "The request did not come to its end in time.\n");
        }
    }

    std::string poll_transmit() { return std::exchange(output_, {}); }
    bool should_close() const { return closing_; }
    bool is_blocked() const { return blocked_ && !closing_; }
    bool is_idle() const { return !parser_ && input_.empty(); }
    std::uint64_t requests_answered() const { return answered_; }
    std::string poll_notice() { return std::exchange(notice_, {}); }

private:
    using parser = http::request_parser<http::string_body>;

    void work() {
        while (!closing_ && !blocked_) {
            if (!parser_ && !begin_request()) {
                return;
            }
            if (input_.empty() || !parse_some()) {
                return;
            }
            blocked_ = output_.size() >= service_.limits.output_bytes_max;
        }
    }

    /// False if there is nothing to begin with.
    bool begin_request() {
        // Some old clients send an empty line behind a body (RFC 9112 section 2.2).
        input_.erase(0, input_.find_first_not_of("\r\n"));
        if (input_.empty()) {
            return false;
        }
        if (answered_ == 0) {
            const std::string foreign = describe_foreign(input_);
            if (!foreign.empty()) {
                fail(400, foreign);
                return false;
            }
        }
        parser_.emplace();
        parser_->header_limit(service_.limits.header_bytes_max);
        parser_->body_limit(service_.limits.body_bytes_max);
        header_seen_ = false;
        return true;
    }

    /// False if more bytes are needed, or the exchange is over.
    bool parse_some() {
        boost::system::error_code why;
        const std::size_t used = parser_->put({input_.data(), input_.size()}, why);
        input_.erase(0, used);
        const bool needs_more = why == http::error::need_more;
        // Beast bounds the header and the body, not what stands between the chunks of a body.
        if (needs_more && input_.size() > service_.limits.header_bytes_max) {
            why = http::error::header_limit;
        } else if (needs_more) {
            why = {};
        }
        if (why) {
            fail_to_parse(why);
            return false;
        }
        if (!header_seen_ && parser_->is_header_done()) {
            header_seen_ = true;
            handle_header();
        }
        if (parser_ && parser_->is_done()) {
            handle_request();
        }
        return !parser_ || (used != 0 && !needs_more);
    }

    void fail_to_parse(boost::system::error_code why) {
        if (why == http::error::header_limit) {
            fail(431, "The header of the request is too large: at most " +
                          std::to_string(service_.limits.header_bytes_max) + " bytes are read.\n");
        } else if (why == http::error::body_limit) {
            fail(413, "The body of the request is too large: at most " +
                          std::to_string(service_.limits.body_bytes_max) + " bytes are read.\n");
        } else if (why == http::error::bad_version) {
            fail(505, "This server speaks HTTP/1.1 and HTTP/1.0 only.\n");
        } else {
            fail(400, "This is no request of HTTP/1.1: " + why.message() + ".\n");
        }
    }

    /// The header is there: refuses before the body is read, or lets the body come.
    void handle_header() {
        const auto& header = parser_->get();
        keeps_alive_ = parser_->keep_alive();
        is_head_ = header.method() == http::verb::head;
        is_http_1_0_ = header.version() < 11;
        request_ = {};
        request_.method = is_head_ ? std::string_view("GET") : view_of(header.method_string());
        split_target(view_of(header.target()));
        if (check_access() && find_route() && !parser_->is_done() && !is_http_1_0_ &&
            boost::beast::iequals(header[http::field::expect], "100-continue")) {
            output_ += "HTTP/1.1 100 Continue\r\n\r\n";
        }
    }

    /// False if the request was refused.
    bool check_access() {
        const auto& header = parser_->get();
        const std::size_t hosts = header.count(http::field::host);
        if (hosts > 1 || (hosts == 0 && !is_http_1_0_)) {
            return refuse(400, "A request of HTTP/1.1 has one Host header.\n");
        }
        if (!service_.token.empty()) {
            return has_right_token(view_of(header[http::field::authorization]), service_.token) ||
                   refuse(401,
                          "This server asks for its token: send the header "
                          "\"Authorization: Bearer TOKEN\".\n",
                          "WWW-Authenticate: Bearer realm=\"fleetarium\"\r\n");
        }
        if (hosts == 1 && !is_loopback_host(view_of(header[http::field::host]))) {
            return refuse(403,
                          "Without a token this server answers requests for a loopback address "
                          "only, such as http://localhost/. Start it with a token to reach it by "
                          "another name.\n");
        }
        const std::string_view origin = view_of(header[http::field::origin]);
        if (!origin.empty() && !is_loopback_host(host_of_origin(origin))) {
            return refuse(403,
                          "Without a token this server answers web pages of this machine only, "
                          "and the request comes from one of " +
                              std::string(origin) + ".\n");
        }
        return true;
    }

    void split_target(std::string_view target) {
        if (target.starts_with("http://")) {  // RFC 9112 section 3.2.2
            const std::size_t path = target.find('/', 7);
            target = path == std::string_view::npos ? "/" : target.substr(path);
        }
        const std::size_t mark = target.find('?');
        request_.path = target.substr(0, mark);
        request_.query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
    }

    /// False if the request was refused.
    bool find_route() {
        std::string allowed;
        for (const http_route& each : service_.routes) {
            if (each.path != request_.path) {
                continue;
            }
            if (each.method == request_.method) {
                route_ = &each;
                return true;
            }
            allowed += (allowed.empty() ? "" : ", ") + each.method;
            allowed += each.method == "GET" ? ", HEAD" : "";
        }
        if (!allowed.empty()) {
            return refuse(405,
                          request_.path + " does not know the method " + request_.method +
                              ", it knows " + allowed + ".\n",
                          "Allow: " + allowed + "\r\n");
        }
        std::string text = "There is nothing at " + request_.path + ". What there is:\n";
        for (const http_route& each : service_.routes) {
            text += "  " + each.method + ' ' + each.path + "  " + each.what + '\n';
        }
        return refuse(404, text);
    }

    /// Answers by an error; false. If a body was to come the connection ends: it would be read for
    /// nothing.
    bool refuse(unsigned status, const std::string& text, std::string_view headers = {}) {
        keeps_alive_ = keeps_alive_ && parser_->is_done();
        send({status, http_response{}.content_type, text}, headers);
        finish_request();
        return false;
    }

    void handle_request() {
        http_response answer;
        request_.body = std::move(parser_->get().body());
        try {
            answer = route_->handle(request_);
        } catch (const std::exception& error) {
            answer = {500, answer.content_type, std::string(error.what()) + '\n'};
            notice_ = request_.method + ' ' + request_.path + " failed: " + error.what();
        }
        send(answer, {});
        finish_request();
    }

    void finish_request() {
        ++answered_;
        parser_.reset();
        request_ = {};
        closing_ = closing_ || !keeps_alive_;
    }

    /// The last answer of the connection, to what is no request that could be served.
    void fail(unsigned status, const std::string& text) {
        is_head_ = false;
        keeps_alive_ = false;
        notice_ = "answered " + std::to_string(status) + ": " + text.substr(0, text.size() - 1);
        send({status, http_response{}.content_type, text}, {});
        input_.clear();
        finish_request();
    }

    void send(const http_response& answer, std::string_view headers) {
        const auto phrase =
            view_of(http::obsolete_reason(static_cast<http::status>(answer.status)));
        output_ += "HTTP/1.1 " + std::to_string(answer.status) + ' ';
        output_ += phrase;
        output_ += "\r\nServer: fleetarium\r\nContent-Type: " + answer.content_type +
                   "\r\nContent-Length: " + std::to_string(answer.body.size()) +
                   "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
        output_ += headers;
        if (!keeps_alive_) {
            output_ += "Connection: close\r\n";
        } else if (is_http_1_0_) {
            output_ += "Connection: keep-alive\r\n";
        }
        output_ += "\r\n";
        if (!is_head_) {
            output_ += answer.body;
        }
    }

    const http_service& service_;
    std::string input_;  // not parsed yet
    std::string output_;
    std::string notice_;
    std::optional<parser> parser_;  // while a request is under way
    http_request request_;
    const http_route* route_ = nullptr;
    std::uint64_t answered_ = 0;
    bool header_seen_ = false;
    bool keeps_alive_ = false;
    bool is_head_ = false;
    bool is_http_1_0_ = false;
    bool blocked_ = false;
    bool closing_ = false;
};

http_exchange::http_exchange(const http_service& service)
    : implementation_(std::make_unique<implementation>(service)) {}
http_exchange::~http_exchange() = default;

void http_exchange::refuse_busy() { implementation_->refuse_busy(); }
void http_exchange::handle_bytes(bytes_view bytes) { implementation_->handle_bytes(bytes); }
void http_exchange::handle_written() { implementation_->handle_written(); }
void http_exchange::handle_timeout() { implementation_->handle_timeout(); }
std::string http_exchange::poll_transmit() { return implementation_->poll_transmit(); }
bool http_exchange::should_close() const { return implementation_->should_close(); }
bool http_exchange::is_blocked() const { return implementation_->is_blocked(); }
bool http_exchange::is_idle() const { return implementation_->is_idle(); }
std::uint64_t http_exchange::requests_answered() const {
    return implementation_->requests_answered();
}
std::string http_exchange::poll_notice() { return implementation_->poll_notice(); }

}  // namespace fleetarium::broker
