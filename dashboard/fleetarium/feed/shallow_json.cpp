#include <fleetarium/feed/shallow_json.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>

namespace fleetarium::feed {

namespace {

using json = nlohmann::json;

/// No question and no answer is nested as deep as this.
constexpr std::size_t depth_max = 32;

class depth_check final : public json::json_sax_t {
public:
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return ++depth_ <= depth_max; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return depth_-- != 0; }
    bool start_array(std::size_t) override { return ++depth_ <= depth_max; }
    bool end_array() override { return depth_-- != 0; }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override {
        return false;
    }

private:
    std::size_t depth_ = 0;
};

}  // namespace

json read_shallow(std::string_view bytes, answer_form form) {
    const bool is_cbor = form == answer_form::cbor;
    depth_check check;
    if (!json::sax_parse(bytes, &check,
                         is_cbor ? json::input_format_t::cbor : json::input_format_t::json)) {
        return json(json::value_t::discarded);
    }
    try {
        return is_cbor ? json::from_cbor(bytes, true, false) : json::parse(bytes, nullptr, false);
    } catch (const json::exception&) {  // a length beyond all memory
        return json(json::value_t::discarded);
    }
}

}  // namespace fleetarium::feed
