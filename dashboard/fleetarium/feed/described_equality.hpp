#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

#include <type_traits>

namespace fleetarium::feed {

/// Questions and answers are equal if all their members are.
template <class Struct>
requires boost::describe::has_describe_members<Struct>::value bool operator==(const Struct& left,
                                                                              const Struct& right) {
    bool equal = true;
    boost::mp11::mp_for_each<
        boost::describe::describe_members<Struct, boost::describe::mod_public>>(
        [&](auto member) { equal = equal && left.*member.pointer == right.*member.pointer; });
    return equal;
}

}  // namespace fleetarium::feed
