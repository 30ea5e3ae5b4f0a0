#include <fleetarium/core/base64.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace fleetarium;

TEST_CASE("base64 has the vectors of RFC 4648, both ways") {
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : vectors) {
        const std::vector<std::uint8_t> bytes(plain.begin(), plain.end());
        std::string text;
        append_base64(text, bytes);
        CHECK(text == coded);
        CHECK(bytes_of_base64(coded) == bytes);
    }
}

TEST_CASE("what is no base64 has no bytes") {
    for (const std::string_view each : {"Zg", "Zg=", "Z===", "Zm9!", "Zh==", "=Zg=", "Zg==Zg=="}) {
        CHECK_FALSE(bytes_of_base64(each));
    }
}
