"""The learned policy: trained by backpropagation through a simulated shop; served by `kernels.order_network`."""
