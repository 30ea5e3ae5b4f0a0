// The one place where Asio and Beast are compiled; everything else links against it.

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
