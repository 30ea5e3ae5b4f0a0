#include <fleetarium/server/http_exchange.hpp>

#include <fleetarium/codec/utf8.hpp>
#include <fleetarium/server/http_access.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace fleetarium::broker {

namespace {

namespace http = boost::beast::http;

std::string_view view_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

bool is_same_name(std::string_view one, std::string_view other) {
    return boost::beast::iequals({one.data(), one.size()}, {other.data(), other.size()});
}

/// Headers that no route gets to see, so that none tells them by mistake.
bool is_secret(http::field name) {
    return name == http::field::authorization || name == http::field::proxy_authorization ||
           name == http::field::cookie || name == http::field::sec_websocket_protocol;
}

std::string_view value_of(const std::vector<http_header>& headers, std::string_view name) {
    const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& each) {
        return is_same_name(each.name, name);
    });
    return found == headers.end() ? std::string_view() : found->value;
}

/// A line end in a header would begin a header of whoever wrote the text.
bool can_be_sent(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char each) {
        return (static_cast<unsigned char>(each) < 0x20 && each != '\t') || each == 0x7f;
    });
}

/// Sixteen bytes in base64 (RFC 6455 section 4.1).
bool is_websocket_key(std::string_view key) {
    return key.size() == 24 && key.ends_with("==") &&
           std::all_of(key.begin(), key.end() - 2, [](char each) {
               return (each >= '0' && each <= '9') || (each >= 'A' && each <= 'Z') ||
                      (each >= 'a' && each <= 'z') || each == '+' || each == '/';
           });
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

std::string_view http_request::parameter(std::string_view name) const {
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const auto& each) { return each.name == name; });
    return found == parameters.end() ? std::string_view() : found->value;
}

std::string_view http_request::header(std::string_view name) const {
    return value_of(headers, name);
}

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
    std::optional<http_upgrade> poll_upgrade() { return std::exchange(upgrade_, std::nullopt); }
    bool should_close() const { return closing_; }
    bool is_blocked() const { return blocked_ && !closing_; }
    bool is_idle() const { return !parser_ && unparsed().empty(); }
    std::uint64_t requests_answered() const { return answered_; }
    std::string poll_notice() { return std::exchange(notice_, {}); }

private:
    using parser = http::request_parser<http::string_body>;

    std::string_view unparsed() const { return std::string_view(input_).substr(parsed_); }

    /// Once for all that was parsed: a body may come in chunks of a byte.
    void forget_parsed() { input_.erase(0, std::exchange(parsed_, 0)); }

    void work() {
        parse();
        forget_parsed();
    }

    void parse() {
        while (!closing_ && !blocked_ && !is_upgraded_) {
            if (!parser_ && !begin_request()) {
                return;
            }
            if (unparsed().empty() || !parse_some()) {
                return;
            }
            blocked_ = output_.size() >= service_.limits.output_bytes_max;
        }
    }

    /// False if there is nothing to begin with.
    bool begin_request() {
        // Some old clients send an empty line behind a body (RFC 9112 section 2.2).
        parsed_ = std::min(input_.find_first_not_of("\r\n", parsed_), input_.size());
        if (unparsed().empty()) {
            return false;
        }
        if (answered_ == 0) {
            const std::string foreign = describe_foreign(unparsed());
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
        // What is left of a chunked body has five bytes or more: "0", CR, LF, CR, LF end it. Given
        // fewer of a body without a chunk, Beast fails an assertion of its own.
        if (header_seen_ && parser_->chunked() && unparsed().size() < 5) {
            return false;
        }
        boost::system::error_code why;
        const std::size_t used = parser_->put({unparsed().data(), unparsed().size()}, why);
        parsed_ += used;
        const bool needs_more = why == http::error::need_more;
        // Beast bounds the header and the body, not what stands between the chunks of a body.
        if (needs_more && unparsed().size() > service_.limits.header_bytes_max) {
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
        copy_headers();
        if (split_target(view_of(header.target())) && check_host() && find_route() &&
            !parser_->is_done() && !is_http_1_0_ &&
            boost::beast::iequals(header[http::field::expect], "100-continue")) {
            output_ += "HTTP/1.1 100 Continue\r\n\r\n";
        }
    }

    void copy_headers() {
        for (const auto& each : parser_->get()) {
            if (is_secret(each.name())) {
                continue;
            }
            const std::string_view name = view_of(each.name_string());
            const auto same = std::find_if(
                request_.headers.begin(), request_.headers.end(),
                [&](const http_header& other) { return is_same_name(other.name, name); });
            if (same == request_.headers.end()) {
                request_.headers.push_back({std::string(name), std::string(view_of(each.value()))});
            } else {
                same->value += ", ";
                same->value += view_of(each.value());
            }
        }
    }

    /// False if the request was refused, as in all that follow.
    bool check_host() {
        const auto& header = parser_->get();
        const std::size_t hosts = header.count(http::field::host);
        if (hosts > 1 || (hosts == 0 && !is_http_1_0_)) {
            return refuse(400, "A request of HTTP/1.1 has one Host header.\n");
        }
        const std::string_view host = request_.header("Host");
        const std::string_view origin = request_.header("Origin");
        if (!service_.token.empty()) {
            return origin.empty() || is_origin_of_host(origin, host) ||
                   refuse(403,
                          "This server answers its own web pages only, and the request comes "
                          "from one of " +
                              std::string(origin) + ".\n");
        }
        if (hosts == 1 && !is_loopback_host(host)) {
            return refuse(403,
                          "Without a token this server answers requests for a loopback address "
                          "only, such as http://localhost/. Start it with a token to reach it by "
                          "another name.\n");
        }
        if (!origin.empty() && !is_loopback_host(host_of_origin(origin))) {
            return refuse(403,
                          "Without a token this server answers web pages of this machine only, "
                          "and the request comes from one of " +
                              std::string(origin) + ".\n");
        }
        return true;
    }

    bool check_token() {
        return service_.token.empty() ||
               has_token(view_of(parser_->get()[http::field::authorization]), service_.token) ||
               (is_upgrade() &&
                has_token_subprotocol(split_list(subprotocols()), service_.token)) ||
               refuse(401,
                      "This server asks for its token: send the header "
                      "\"Authorization: Bearer TOKEN\".\n",
                      "WWW-Authenticate: Bearer realm=\"fleetarium\"\r\n");
    }

    bool is_upgrade() const { return boost::beast::websocket::is_upgrade(parser_->get()); }

    /// All that are offered, in one list.
    std::string subprotocols() const {
        std::string out;
        const auto fields = parser_->get().equal_range(http::field::sec_websocket_protocol);
        for (auto each = fields.first; each != fields.second; ++each) {
            out += out.empty() ? "" : ",";
            out += view_of(each->value());
        }
        return out;
    }

    bool split_target(std::string_view target) {
        if (target.starts_with("http://")) {  // RFC 9112 section 3.2.2
            const std::size_t path = target.find('/', 7);
            target = path == std::string_view::npos ? "/" : target.substr(path);
        }
        const std::size_t mark = target.find('?');
        request_.path = target.substr(0, mark);
        request_.query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
        const std::optional<std::string> decoded = percent_decoded(target);
        return (decoded && detail::check_string(*decoded) == violation::none) ||
               refuse(400,
                      "The target of the request is not encoded well: a % stands before two "
                      "hexadecimal digits, and all together is UTF-8 without a zero.\n");
    }

    bool find_route() {
        route_ = nullptr;
        websocket_ = nullptr;
        std::string allowed;
        for (const http_route& each : service_.routes) {
            auto parameters = match_route_path(each.path, request_.path);
            if (!parameters) {
                continue;
            }
            allowed += (allowed.empty() ? "" : ", ") + each.method;
            allowed += each.method == "GET" ? ", HEAD" : "";
            if (each.method == request_.method &&
                (route_ == nullptr || is_closer_route_path(each.path, route_->path))) {
                route_ = &each;
                request_.parameters = std::move(*parameters);
            }
        }
        if (route_ == nullptr || is_upgrade()) {
            find_websocket();
        }
        const bool is_open = route_ != nullptr && route_->access == http_access::open;
        if (!is_open && !check_token()) {
            return false;
        }
        if (websocket_ != nullptr) {
            return check_upgrade();
        }
        return route_ != nullptr || refuse_route(allowed);
    }

    void find_websocket() {
        std::vector<http_parameter> found;
        for (const websocket_route& each : service_.websockets) {
            auto parameters = match_route_path(each.path, request_.path);
            if (parameters &&
                (websocket_ == nullptr || is_closer_route_path(each.path, websocket_->path))) {
                websocket_ = &each;
                found = std::move(*parameters);
            }
        }
        if (websocket_ == nullptr) {
            return;
        }
        if (route_ != nullptr && is_closer_route_path(route_->path, websocket_->path)) {
            websocket_ = nullptr;
            return;
        }
        route_ = nullptr;
        request_.parameters = std::move(found);
    }

    bool refuse_route(const std::string& allowed) {
        if (!allowed.empty()) {
            return refuse(405,
                          request_.path + " does not know the method " + request_.method +
                              ", it knows " + allowed + ".\n",
                          "Allow: " + allowed + "\r\n");
        }
        std::string text = "There is nothing at " + request_.path + ". What there is:\n";
        for (const http_route& each : service_.routes) {
            if (!each.what.empty()) {
                text += "  " + each.method + ' ' + each.path + "  " + each.what + '\n';
            }
        }
        for (const websocket_route& each : service_.websockets) {
            text += "  WebSocket " + each.path + "  " + each.what + '\n';
        }
        return refuse(404, text);
    }

    bool check_upgrade() {
        const auto& header = parser_->get();
        if (!is_upgrade() || header[http::field::sec_websocket_version] != "13") {
            return refuse(426, "At " + request_.path + " there is a WebSocket of version 13.\n",
                          "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\n");
        }
        if (header.count(http::field::sec_websocket_key) != 1 ||
            !is_websocket_key(view_of(header[http::field::sec_websocket_key]))) {
            return refuse(400, "A Sec-WebSocket-Key is sixteen bytes in base64.\n");
        }
        if (!parser_->is_done()) {
            return refuse(400, "A request for a WebSocket has no body.\n");
        }
        const std::string list = subprotocols();
        std::vector<std::string_view> offered = split_list(list);
        const auto& known = websocket_->subprotocols;
        const auto agreed =
            std::find_first_of(offered.begin(), offered.end(), known.begin(), known.end());
        subprotocol_ = agreed == offered.end() ? std::string_view() : *agreed;
        if (!subprotocol_.empty() || offered.empty() || known.empty()) {
            return true;
        }
        std::string names;
        for (const std::string& each : known) {
            names += (names.empty() ? "" : ", ") + each;
        }
        return refuse(400, "The request offers no subprotocol that is spoken at " + request_.path +
                               ": " + names + ".\n");
    }

    /// Answers by an error; false. If a body was to come the connection ends: it would be read for
    /// nothing.
    bool refuse(unsigned status, const std::string& text, std::string_view headers = {}) {
        keeps_alive_ = keeps_alive_ && parser_->is_done();
        send({status, http_response{}.content_type, text, {}}, headers);
        finish_request();
        return false;
    }

    void handle_request() {
        if (websocket_ != nullptr) {
            is_upgraded_ = true;
            forget_parsed();
            upgrade_ = {websocket_,
                        std::string(view_of(parser_->get()[http::field::sec_websocket_key])),
                        std::move(subprotocol_), std::move(request_), std::move(input_)};
            finish_request();
            return;
        }
        http_response answer;
        request_.body = std::move(parser_->get().body());
        try {
            answer = route_->handle(request_);
            check_headers(answer);
        } catch (const std::exception& error) {
            answer = {500, http_response{}.content_type, std::string(error.what()) + '\n', {}};
            notice_ = request_.method + ' ' + request_.path + " failed: " + error.what();
        }
        send(answer, {});
        finish_request();
    }

    static void check_headers(const http_response& answer) {
        const bool are_fine = std::all_of(
            answer.headers.begin(), answer.headers.end(),
            [](const auto& each) { return can_be_sent(each.name) && can_be_sent(each.value); });
        if (!are_fine || !can_be_sent(answer.content_type)) {
            throw std::invalid_argument("a header of the answer has a line end in it");
        }
    }

    void finish_request() {
        ++answered_;
        parser_.reset();
        request_ = {};
        closing_ = closing_ || (!keeps_alive_ && !is_upgraded_);
    }

    /// The last answer of the connection, to what is no request that could be served.
    void fail(unsigned status, const std::string& text) {
        is_head_ = false;
        keeps_alive_ = false;
        notice_ = "answered " + std::to_string(status) + ": " + text.substr(0, text.size() - 1);
        send({status, http_response{}.content_type, text, {}}, {});
        input_.clear();
        parsed_ = 0;
        finish_request();
    }

    void send(const http_response& answer, std::string_view headers) {
        const auto phrase =
            view_of(http::obsolete_reason(static_cast<http::status>(answer.status)));
        output_ += "HTTP/1.1 " + std::to_string(answer.status) + ' ';
        output_ += phrase;
        output_ += "\r\nServer: fleetarium\r\n";
        const bool has_body = answer.status != 204 && answer.status != 304;
        if (has_body) {
            output_ += "Content-Type: " + answer.content_type +
                       "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n";
        }
        if (value_of(answer.headers, "Cache-Control").empty()) {
            output_ += "Cache-Control: no-store\r\n";
        }
        output_ += "X-Content-Type-Options: nosniff\r\n";
        for (const http_header& each : answer.headers) {
            output_ += each.name + ": " + each.value + "\r\n";
        }
        output_ += headers;
        if (!keeps_alive_) {
            output_ += "Connection: close\r\n";
        } else if (is_http_1_0_) {
            output_ += "Connection: keep-alive\r\n";
        }
        output_ += "\r\n";
        if (!is_head_ && has_body) {
            output_ += answer.body;
        }
    }

    const http_service& service_;
    std::string input_;
    std::size_t parsed_ = 0;  // so much of it
    std::string output_;
    std::string notice_;
    std::optional<parser> parser_;  // while a request is under way
    http_request request_;
    const http_route* route_ = nullptr;
    const websocket_route* websocket_ = nullptr;  // instead of a route
    std::string subprotocol_;
    std::optional<http_upgrade> upgrade_;
    std::uint64_t answered_ = 0;
    bool header_seen_ = false;
    bool keeps_alive_ = false;
    bool is_head_ = false;
    bool is_http_1_0_ = false;
    bool blocked_ = false;
    bool closing_ = false;
    bool is_upgraded_ = false;
};

http_exchange::http_exchange(const http_service& service)
    : implementation_(std::make_unique<implementation>(service)) {}
http_exchange::~http_exchange() = default;

void http_exchange::refuse_busy() { implementation_->refuse_busy(); }
void http_exchange::handle_bytes(bytes_view bytes) { implementation_->handle_bytes(bytes); }
void http_exchange::handle_written() { implementation_->handle_written(); }
void http_exchange::handle_timeout() { implementation_->handle_timeout(); }
std::string http_exchange::poll_transmit() { return implementation_->poll_transmit(); }
std::optional<http_upgrade> http_exchange::poll_upgrade() {
    return implementation_->poll_upgrade();
}
bool http_exchange::should_close() const { return implementation_->should_close(); }
bool http_exchange::is_blocked() const { return implementation_->is_blocked(); }
bool http_exchange::is_idle() const { return implementation_->is_idle(); }
std::uint64_t http_exchange::requests_answered() const {
    return implementation_->requests_answered();
}
std::string http_exchange::poll_notice() { return implementation_->poll_notice(); }

}  // namespace fleetarium::broker
